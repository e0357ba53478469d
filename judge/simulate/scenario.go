package simulate

import (
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// Scenario is who uses a route in one stage and what happens meanwhile. The struct is the schema of the file.
type Scenario struct {
	// About says in a sentence what the scenario is about.
	About string `yaml:"about"`
	// Share is the part of the users who are on the new side. At 100% it is compared with a stage before in
	// which all of them were on the old one.
	Share setting.Share `yaml:"share" default:"5%"`
	// Mirror makes it a mirror stage: nobody is moved, and the new side gets copies.
	Mirror bool `yaml:"mirror"`
	// Moved is the part of moved users' safe requests of which the old side gets a copy; of the first
	// thousand it gets all.
	Moved setting.Share `yaml:"moved" default:"10%"`
	// Length is how long the stage lasts at most.
	Length time.Duration `yaml:"length" default:"10m"`
	// Requests is how many first attempts end it before; 0: no number does.
	Requests int `yaml:"requests"`
	// Tick is the time between two collections of what has happened.
	Tick time.Duration `yaml:"tick" default:"250ms"`
	// Alpha is the chance that the statistics condemn a side that is as good.
	Alpha setting.Share `yaml:"alpha" default:"0.1%"`
	// Breaker is the run of failures on the new side that ends the stage; 0: none does.
	Breaker int `yaml:"breaker" default:"5"`
	// Tolerate is how much worse the new side may be.
	Tolerate judge.Tolerance `yaml:"tolerate"`

	// Users are the people.
	Users Users `yaml:"users"`
	// Crawlers are machines that ask all the time, each under one key.
	Crawlers []Crawler `yaml:"crawlers"`
	// Accounts are users to whom something else happens than to most, on either side.
	Accounts []Account `yaml:"accounts"`
	// Pages are what is asked for.
	Pages Pages `yaml:"pages"`
	// Answers are how often each kind of answer is given, on either side.
	Answers Answers `yaml:"answers"`
	// Latency is how long answers take.
	Latency Latency `yaml:"latency"`

	// Bursts are users who ask for much at once.
	Bursts *Bursts `yaml:"bursts"`
	// Outages strike what both sides share.
	Outages *Outages `yaml:"outages"`
	// Day is how load and latency rise and fall.
	Day *Day `yaml:"day"`
	// Deploys make answers slower for a while, of both sides.
	Deploys *Deploys `yaml:"deploys"`
	// Pairs is what it does to an answer that the other side has given the same one just before.
	Pairs Order `yaml:"pairs"`

	// Worse is what is worse on the new side; nothing: it is the same program.
	Worse *Worse `yaml:"worse"`
}

// Users are people who come, make some requests with time to think in between, and go.
type Users struct {
	// Number is how many there are, 1 to 1,000,000.
	Number int `yaml:"number" default:"2000"`
	// Zipf is the exponent of their diligence: the k-th of them comes as often as k to the power of
	// minus it; 0: all alike.
	Zipf Number `yaml:"zipf" default:"0.8"`
	// Rate is how many requests all of them make in a second, on average.
	Rate Number `yaml:"rate" default:"20"`
	// Session is how many requests one makes before he goes, on average.
	Session Number `yaml:"session" default:"8"`
	// Think is the time between an answer and the next request, on average.
	Think time.Duration `yaml:"think" default:"5s"`
	// Slow is the part of them who read slowly, and leave before an answer is whole every third time.
	Slow setting.Share `yaml:"slow"`
	// Patience is how long one waits before he leaves, on average; 0: for ever.
	Patience time.Duration `yaml:"patience"`
	// Retry is the chance that one who sees an error asks again within a second, three times at most.
	Retry setting.Share `yaml:"retry"`
	// GiveUp is the chance that one who sees an error does not come back.
	GiveUp setting.Share `yaml:"giveUp"`
	// Latency is the spread (the standard deviation of the logarithm) of how much longer everything takes
	// for one user than for another.
	Latency Number `yaml:"latency"`
}

// Crawler is a machine with one key.
type Crawler struct {
	// Rate is how many requests it makes in a second.
	Rate Number `yaml:"rate" default:"1"`
	// Pages is how many pages of its own it asks for in turn.
	Pages int `yaml:"pages" default:"100"`
	// Answers are what it gets besides good ones.
	Answers Answers `yaml:"answers"`
}

// Account is a kind of users whose requests fare worse than most, on both sides alike.
type Account struct {
	// Part is the part of the users who are of this kind.
	Part setting.Share `yaml:"part" default:"1%"`
	// Answers are what they get besides good ones, by page: the same page has the same answer always.
	Answers Answers `yaml:"answers"`
}

// Pages are what is asked for.
type Pages struct {
	// Number is how many there are.
	Number int `yaml:"number" default:"200"`
	// Zipf is the exponent of how often each is asked for.
	Zipf Number `yaml:"zipf" default:"1"`
	// Latency is the spread of how much longer one takes than another.
	Latency Number `yaml:"latency" default:"0.5"`
	// Size is the median length of a page.
	Size setting.Size `yaml:"size" default:"20KiB"`
	// Spread is how different their lengths are.
	Spread Number `yaml:"spread" default:"0.8"`
	// Broken is how many of them always fail, the most popular left out.
	Broken int `yaml:"broken"`
	// Unsafe is the part of requests that change something, which are sent once only.
	Unsafe setting.Share `yaml:"unsafe" default:"10%"`
}

// Answers is how often each kind of answer is given that is judged, as parts of all requests.
type Answers struct {
	Fails        setting.Share `yaml:"fails"`
	Unauthorized setting.Share `yaml:"unauthorized"`
	Forbidden    setting.Share `yaml:"forbidden"`
	NotFound     setting.Share `yaml:"notFound"`
	ClientErrors setting.Share `yaml:"clientErrors"`
	Redirects    setting.Share `yaml:"redirects"`
	Logins       setting.Share `yaml:"logins"`
	OtherHosts   setting.Share `yaml:"otherHosts"`
	Empty        setting.Share `yaml:"empty"`
	Forms        setting.Share `yaml:"forms"`
	// Differs is the part of pages whose two answers differ though nothing is wrong.
	Differs setting.Share `yaml:"differs"`
}

// Latency is the time until the last byte of an answer.
type Latency struct {
	// Shape is the distribution of one page's answers for one user.
	Shape string `yaml:"shape" enum:"lognormal,pareto,constant" default:"lognormal"`
	// Median is that of all of them.
	Median time.Duration `yaml:"median" default:"80ms"`
	// Spread is, of a lognormal one, the standard deviation of the logarithm, of a Pareto one the
	// exponent: the less, the heavier its tail.
	Spread Number `yaml:"spread" default:"0.5"`
}

// Bursts are single users who ask for much at once: a page with everything on it.
type Bursts struct {
	// Every is the time from one to the next, on average.
	Every time.Duration `yaml:"every" default:"20s"`
	// Requests is how many one has.
	Requests int `yaml:"requests" default:"40"`
	// Fails is the chance that all requests of a burst fail.
	Fails setting.Share `yaml:"fails"`
}

// Outages strike both sides: a database that restarts, a network that is away.
type Outages struct {
	// Every is the time from the end of one to the next, on average.
	Every time.Duration `yaml:"every" default:"2m"`
	// Length is how long one lasts, on average.
	Length time.Duration `yaml:"length" default:"1s"`
	// Depth is the part of requests that it strikes.
	Depth setting.Share `yaml:"depth" default:"100%"`
	// Fails is how long such a request takes to fail.
	Fails time.Duration `yaml:"fails"`
	// Hangs makes requests wait for its end instead of failing.
	Hangs bool `yaml:"hangs"`
}

// Day is how the load, and with it the latency, rises and falls.
type Day struct {
	// Period is the length of a day. A stage begins at any time of it.
	Period time.Duration `yaml:"period" default:"24h"`
	// Quiet is how much less load there is at night than at noon.
	Quiet setting.Share `yaml:"quiet" default:"80%"`
	// Slower is how much longer answers take at noon.
	Slower setting.Growth `yaml:"slower"`
}

// Deploys are new versions of the program, which come to both sides.
type Deploys struct {
	// Every is the time from one to the next.
	Every time.Duration `yaml:"every" default:"5m"`
	// Cold is how long a server that has begun anew is slower.
	Cold time.Duration `yaml:"cold" default:"10s"`
	// Slower is how much longer its answers take meanwhile.
	Slower setting.Growth `yaml:"slower" default:"200%"`
	// Apart is how much later the second side has its deploy.
	Apart time.Duration `yaml:"apart"`
	// First is the side that begins.
	First string `yaml:"first" enum:"new,old,any" default:"any"`
}

// Order is what it does to an answer to come second.
type Order struct {
	// Slower is how much longer it takes.
	Slower setting.Growth `yaml:"slower"`
	// Faster is how much less time it takes: what it needs is warm.
	Faster setting.Share `yaml:"faster"`
}

// Worse is what the new side does worse than the old one.
type Worse struct {
	// Answers are added to what the old side does.
	Answers `yaml:",inline"`
	// Slower is how much longer answers take.
	Slower setting.Growth `yaml:"slower"`
	// Shorter is how much of a page is missing.
	Shorter setting.Share `yaml:"shorter"`
	// Hangs is the part of requests that are never answered.
	Hangs setting.Share `yaml:"hangs"`
	// Users is the part of the users whom it meets.
	Users setting.Share `yaml:"users" default:"100%"`
	// From is when it begins.
	From time.Duration `yaml:"from"`
}
