// Package cloud reaches the services of Amazon Web Services, and those that speak their protocols.
package cloud

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"yadokari/setting"
)

// Access says how a service is reached. What is left out is found as every AWS tool finds it: environment
// variables (AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …), ~/.aws/config and credentials, the
// role of the pod (IRSA, EKS Pod Identity) or of the instance.
type Access struct {
	// Region is the AWS region, as in ap-northeast-1.
	Region string `yaml:"region"`
	// Endpoint is the URL of the service, when it is not the region's own: a VPC endpoint, or another
	// service that speaks the protocol.
	Endpoint string `yaml:"endpoint"`
	// Profile is the section of the AWS configuration files to use.
	Profile string `yaml:"profile"`
	// Timeout is how long one request may take; then it is tried again.
	Timeout time.Duration `yaml:"timeout" default:"30s"`
}

// Validate says what is wrong with the settings, as *setting.Problem.
func (a *Access) Validate() error {
	if u, err := url.Parse(a.Endpoint); a.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return &setting.Problem{
			Path: setting.Path{"endpoint"}, What: fmt.Sprintf("%q is not a URL", a.Endpoint),
			Remedy: "as in https://vpce-1.firehose.ap-northeast-1.vpce.amazonaws.com",
		}
	}
	if a.Timeout <= 0 {
		return &setting.Problem{Path: setting.Path{"timeout"}, What: "must be more than 0s", Remedy: "as in 30s"}
	}
	return nil
}

// Suffix tells apart what has one name in two places: @REGION@ENDPOINT@profile=PROFILE, of which only what is set
// is there.
func (a *Access) Suffix() (text string) {
	if a.Region != "" {
		text += "@" + a.Region
	}
	if a.Endpoint != "" {
		text += "@" + a.Endpoint
	}
	if a.Profile != "" {
		text += "@profile=" + a.Profile
	}
	return text
}

// Load finds region, credentials and the rest. Retries are left to the caller: the SDK would give up. A
// transport of nil is the SDK's own. It fails without a region; credentials are looked for at the first
// request.
func (a *Access) Load(ctx context.Context, transport http.RoundTripper) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(a.Timeout)),
	}
	if a.Region != "" {
		options = append(options, config.WithRegion(a.Region))
	}
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, fmt.Errorf("AWS configuration: %w", err)
	}
	if c.Region == "" {
		return c, fmt.Errorf("AWS configuration: no region is known (set region, or AWS_REGION)")
	}
	if transport != nil {
		c.HTTPClient = &http.Client{Transport: transport, Timeout: a.Timeout}
	}
	if a.Endpoint != "" {
		c.BaseEndpoint = &a.Endpoint
	}
	return c, nil
}
