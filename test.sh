#!/usr/bin/env bash
# Runs the project's tests. It needs Debian, Go, and to be root where a package has to be installed;
# everything else it sets up itself. A missing server is an error, never a skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# What runs without a name given, in this order. Every module in a folder under test/ (tools apart) is
# a stage of the folder's name; its program `install`, if there is one, runs before.
stages() {
	echo format vet lint unit fuzz
	local module
	for module in test/*/go.mod; do
		module=${module#test/} module=${module%/go.mod}
		case $module in tools | gauntlet) ;; *) echo "$module" ;; esac
	done
}

usage() {
	cat <<-END
		Usage: ./test.sh [STAGE]...

		Runs every stage, or those that are named:

		  format       gofmt changes nothing
		  vet          go vet finds nothing, in any module
		  lint         golangci-lint (.golangci.yml) finds nothing, in any module
		  unit         every test of the main module, with the race detector
		  fuzz         every fuzz target, for FUZZTIME (${fuzztime}: so many inputs, or a duration)
	END
	local stage
	for stage in $(stages); do
		case $stage in
		format | vet | lint | unit | fuzz) ;;
		*) printf '  %-12s the tests in test/%s, against real servers\n' "$stage" "$stage" ;;
		esac
	done
	cat <<-END

		and, only when named, because it takes long or asks https://vuln.go.dev or the database in VULNDB (a URL):

		  gauntlet     a sample of test/gauntlet: WordPress and MediaWiki, broken on one side
		  vuln         govulncheck finds no known vulnerability that the code reaches

		Environment: FUZZTIME (1000x or a duration), TESTFLAGS (added to every go test, for example "-run Shift -v").
	END
}

fuzztime=${FUZZTIME:-1000x}
# Words are split on purpose: flags have no spaces here.
read -r -a testflags <<<"${TESTFLAGS:-}"

# say names what begins, and how long the stages before it took together: what ends the output is the last
# runner's own closing line.
say() { printf '\n==> %s (after %d s)\n' "$*" "$SECONDS"; }

# modules are the folders that hold a module of our own with code.
modules() { git ls-files -co --exclude-standard -- 'go.mod' '*/go.mod' | while read -r file; do
	folder=$(dirname "$file")
	case $folder in test/tools | */components) ;; *) echo "$folder" ;; esac
done; }

tool() { # tool NAME ARGS…: one of the programs pinned in test/tools, run in the current folder
	local name=$1 program
	shift
	program=$(go -C "$root/test/tools" tool -n "$name")
	"$program" "$@"
}
root=$PWD

stage_format() {
	local files
	files=$(git ls-files -co --exclude-standard -- '*.go' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done | xargs gofmt -l)
	[ -z "$files" ] || { printf 'gofmt would change:\n%s\n' "$files" >&2; return 1; }
}

stage_vet() {
	local module
	for module in $(modules); do
		go -C "$module" vet ./...
	done
}

stage_lint() {
	local module failed=0
	for module in $(modules); do
		echo "$module"
		(cd "$module" && tool golangci-lint run --config "$root/.golangci.yml" ./...) || failed=1
	done
	return $failed
}

stage_unit() {
	test/packages gcc gcc /usr/include/stdlib.h libc6-dev # the race detector needs cgo
	# Two packages at a time, however many cores: timing-sensitive code is tested with injected time,
	# but the ports and files of too many packages at once are real.
	go test -race -p 2 -timeout 15m "${testflags[@]}" ./...
}

# Fuzz targets run one at a time: go test takes no more.
stage_fuzz() {
	local line package target
	git grep -hl --untracked '^func Fuzz' -- '*_test.go' | grep -v ^test/ | sort | while read -r file; do
		package=./$(dirname "$file")
		grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | while read -r line; do
			target=${line#func }
			echo "$package $target"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package"
		done
	done
}

stage_vuln() {
	tool govulncheck ${VULNDB:+-db "$VULNDB"} ./...
}

stage_module() { # the tests of one module under test/
	if [ -x "test/$1/install" ]; then
		"test/$1/install"
	fi
	go -C "test/$1" test -timeout 30m "${testflags[@]}" ./...
}

run() {
	say "$1"
	case $1 in
	format | vet | lint | unit | fuzz | vuln) "stage_$1" ;;
	*) stage_module "$1" ;;
	esac
}

named=()
for argument in "$@"; do
	case $argument in
	-h | --help)
		usage
		exit 0
		;;
	esac
	if [ "$argument" != vuln ] && [ "$argument" != gauntlet ] && ! stages | tr ' ' '\n' | grep -qx -- "$argument"; then
		echo "test.sh: there is no stage $argument; see ./test.sh --help" >&2
		exit 2
	fi
	named+=("$argument")
done
if [ ${#named[@]} -eq 0 ]; then
	read -r -d '' -a named < <(stages) || true
fi
command -v go >/dev/null || { echo "test.sh: go is not in PATH" >&2; exit 1; }
test/packages git git
for stage in "${named[@]}"; do
	run "$stage"
done
