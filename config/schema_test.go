package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

func resolved(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s) // as an editor gets it
	if err != nil {
		t.Fatal(err)
	}
	var again jsonschema.Schema
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	r, err := again.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func instance(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := yaml.Load(text, &value); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestSchemaTakesWhatTheDecoderTakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	schema := resolved(t)
	for _, file := range append(files, "../yadokari.example.yaml") {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "error-") || name == "valid-empty.yaml" || name == "valid-null.yaml" {
			continue // null for a section is a mistake to an editor, and an empty file has no value
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := resolved(t)
	const backend = "backends: {vm: {servers: [a]}}"
	for _, text := range []string{
		"[]", "colour: green", "app: 1",
		"gateway: {lisen: a}", "gateway: {h2c: yes please}", "gateway: {routes: {}}",
		"gateway: {routes: [{name: wiki}]}", "gateway: {routes: [{match: [/]}]}",
		"gateway: {backends: {vm: {}}}", "gateway: {backends: {vm: {servers: [a], balance: {}}}}",
		"gateway: {admin: 8081}", "gateway: {admin: {listn: a}}",
		"gateway: {fallback: {hold: 10}}", "gateway: {fallback: {hold: 10 s}}", "gateway: {fallback: {hold: -1s}}", "gateway: {fallback: {hold: ''}}",
		"gateway: {limits: {body: 1MB}}", "gateway: {limits: {body: -1}}", "gateway: {limits: {connections: '1'}}", "gateway: {limits: {connections: 1.5}}",
		"gateway: {routes: [{name: a, match: [/], mirror: {rate: 101%}}]}", "gateway: {routes: [{name: a, match: [/], mirror: {rate: 5}}]}",
		"gateway: {routes: [{name: a, match: [/], shift: {promote: maybe}}]}",
		"gateway: {tls: {cert: a}}", "gateway: {override: {}}",
		"clusters: {a: {clusters: {}}}", "clusters: {a: {colour: green}}", "clusters: {a: {gateway: {routes: [{match: [/]}]}}}", "clusters: []",
	} {
		if err := schema.Validate(instance(t, []byte(text))); err == nil {
			t.Errorf("%s: accepted", text)
		}
		if _, err := Parse("f", []byte(text), ""); err == nil && !strings.HasPrefix(text, "app:") && !strings.HasPrefix(text, "clusters: {a: ") {
			t.Errorf("%s: the decoder accepts it", text)
		}
	}
	for _, text := range []string{
		"{}", "gateway: {fallback: {hold: 0, timeout: 1.5s}}", "gateway: {limits: {body: 1024}}", "gateway: {admin: {}}",
		"gateway: {routes: [{name: a, match: [/], shift: {tolerate: {p95: null, p50: 0.5%}}}]}",
		"clusters: {a: {gateway: {tls: null, backends: {vm: null, new: {servers: null}}, routes: [{name: a, shift: {hold: null}}]}}}",
		"gateway: {" + backend + "}",
	} {
		if err := schema.Validate(instance(t, []byte(text))); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSchemaCarriesMeaningAndDefaults(t *testing.T) {
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	hold := s.Defs["shift.Config"].Properties["hold"]
	if hold.Description != "hold is the least time in a stage." || string(hold.Default) != `"10m"` || hold.Ref != "#/$defs/duration" {
		t.Errorf("hold: %s", hold)
	}
	if stages := s.Defs["shift.Config"].Properties["stages"]; string(stages.Default) != `["mirror","1%","5%","25%","50%","100%"]` {
		t.Errorf("stages: %s", stages.Default)
	}
	if promote := s.Defs["shift.Config"].Properties["promote"]; len(promote.Enum) != 2 {
		t.Errorf("promote: %s", promote)
	}
	if b := s.Defs["gateway.Backend"]; b.Properties["servers"] == nil || b.Properties["connect"] == nil || b.Properties["balance"] != nil {
		t.Error("a backend's inlined keys are not its own")
	}
}
