#!/bin/sh
# The example, three times: everything runs; nothing needs to; what was deleted comes back. demo.sh PATH-OF-JL
set -eu
cd "$(dirname "$0")/.."
jl=$1
JL_STORE=$PWD/build/demo-store
export JL_STORE
# The first run is to be a first one.
rm -rf build/demo build/demo-store
mkdir -p build

say() { printf '\n--- %s\n' "$*"; }
run() { # expected words of the last line
	echo "\$ jl run -f joblib.yaml.example"
	"$jl" run -f joblib.yaml.example 2>build/demo.err || { status=$?; cat build/demo.err >&2; exit $status; }
	cat build/demo.err >&2
	summary=$(tail -n 1 build/demo.err)
	steps=${summary%% *}
	case $summary in
	"$steps steps: "*"$steps $1,"*) ;;
	*)
		echo "demo: expected every step to be $1" >&2
		exit 1
		;;
	esac
}
content() { find build/demo -type f | LC_ALL=C sort | xargs cksum; }

echo "joblib.yaml.example looks at this project's own sources and history. Its steps:"
sed -n 's/^  \([a-z]*\):$/\1/p; s/^    description: /        /p' joblib.yaml.example | sed 's/^\([a-z]\)/    \1/'
if ! git rev-parse --verify -q HEAD >/dev/null 2>&1; then
	echo "There is no history here: only the sources are looked at."
elif [ "$(git rev-parse --is-shallow-repository)" = true ]; then
	echo "This is a shallow clone: the history is as short as it is."
fi

say "1. Nothing is known yet: every step runs"
run ran
content >build/demo.1
say "2. Nothing has changed: nothing runs, nothing is written"
run fresh
say "3. All that was made is deleted (rm -r build/demo): it comes back from the store, nothing runs"
rm -r build/demo
run restored
content >build/demo.3
cmp build/demo.1 build/demo.3
echo "All $(wc -l <build/demo.3) files are back, byte for byte."

say "The report: file://$PWD/build/demo/report.html"
echo "Edit a file of lib/ and run it again: only what depends on that file runs. jl log STEP shows what a step said."
