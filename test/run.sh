#!/bin/bash
# The one gate: builds, then runs every check, unit test, fuzz corpus and bats file, each part with a time limit and a
# private home, and ends with the line "N passed, N failed, N skipped". `make test` calls it.
#
#     B=build MAKE=make test/run.sh [PART]   only parts whose name holds PART: unit/buf, bats/run, check-layers
#
# SUITE=NAME runs the bats files of test/NAME and nothing else: servers, engines. F=REGEX narrows bats files to the tests whose title matches. With CI=true a skipped test is a failure. Each part's
# output is in $B/test/results; what failed is shown in full.
set -u
cd "$(dirname "$0")/.." || exit 3

part=${1-}
suite=${SUITE:-bats}
build=${B:-build}
make=${MAKE:-make}
results=$build/test/results
slots=$(nproc)
passed=0 failed=0 skipped=0
# Some tests look at the modes of files they made.
umask 022
# What of the caller's environment the parts get to see: how things are found and compiled.
keep=()
for name in PATH LD_LIBRARY_PATH CC AR CPPFLAGS CFLAGS LDFLAGS DEV SAN COV REALWORK; do
	if [[ -n ${!name-} ]]; then keep+=("$name=${!name}"); fi
done

run=$(mktemp -d "${TMPDIR:-/tmp}/jl-test.XXXXXX") || exit 3
run=$(cd "$run" && pwd -P)
# Outside its life nothing of a run is left, whatever way it ends.
finish() {
	leftovers kill >/dev/null
	chmod -R u+rwx "$run" 2>/dev/null
	rm -rf "$run"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rm -rf "$results"
mkdir -p "$results"

wanted() { [[ -z $part || $1 == *"$part"* ]]; }

# Processes whose folder, environment or command names this run's private folder: steps of a run inherit TMPDIR, daemons
# have settings there.
leftovers() { # [kill]
	local proc pid
	for proc in /proc/[0-9]*; do
		pid=${proc#/proc/}
		[[ $pid != "$$" && $pid != "$BASHPID" ]] || continue
		if [[ $(readlink "$proc/cwd" 2>/dev/null) == "$run"/* ]] ||
			grep -qsaF "$run/" "$proc/environ" "$proc/cmdline" 2>/dev/null; then
			ps -o pid=,ppid=,stat=,args= -p "$pid"
			if [[ ${1-} == kill ]]; then kill -KILL "$pid"; fi
		fi
	done 2>/dev/null
}

# One line a part as it ends; a failure in full.
report() { # name, passed, failed, skipped, seconds
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	local word=ok note=
	if (($3 > 0)); then word=FAILED; fi
	if (($4 > 0)); then note=", $4 skipped"; fi
	printf '%-6s %-28s %d passed, %d failed%s (%ss)\n' "$word" "$1" "$2" "$3" "$note" "$5"
	if (($3 > 0)); then
		printf -- '--- %s\n' "$1"
		cat "$results/${1//\//-}.out"
		printf -- '--- end of %s\n' "$1"
	elif (($4 > 0)); then
		grep -ai '# skip' "$results/${1//\//-}.out" | sed 's/^/       /'
	fi
}

# Counts of a test-anything protocol. A program that died, or told less than its plan, has one failure more.
count_tap() { # exit status; the output on stdin
	awk -v status="$1" '
		/^[0-9]+\.\.[0-9]+/ { split($1, a, /\.\./); if (a[2] >= a[1]) plan += a[2] - a[1] + 1 }
		/^(not )?ok [0-9]+.*# (SKIP|skip)/ { s++; next }
		/^ok / { p++ }
		/^not ok / { f++ }
		END {
			if (!f && (status != 0 || p + s < plan || p + s == 0)) f++
			print p + 0, f + 0, s + 0
		}'
}

# Runs one part in a private place, leaves "passed failed skipped seconds" in its .count.
run_part() { # name, kind (check, tap), limit in seconds, command...
	local name=$1 kind=$2 limit=$3 file=$results/${1//\//-} home=$run/${1//\//-} status=0 start=$SECONDS
	shift 3
	mkdir -p "$home/home" "$home/tmp" "$home/run"
	chmod 700 "$home/run"
	# The caller's environment must not matter; and a shell starts what is in the background with SIGINT ignored.
	# Nobody's open files are passed on: a process that outlives its test would keep a caller's pipe open.
	env -i --default-signal "${keep[@]}" HOME="$home/home" TMPDIR="$home/tmp" JL_STORE="$home/store" \
		XDG_CACHE_HOME="$home/home/.cache" XDG_CONFIG_HOME="$home/home/.config" \
		XDG_DATA_HOME="$home/home/.local/share" XDG_STATE_HOME="$home/home/.local/state" \
		XDG_RUNTIME_DIR="$home/run" LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=tap JL_BUILD="$PWD/$build" \
		JL_SOURCE="$PWD" JL_SAN="${SAN-}" \
		ASAN_OPTIONS="${ASAN_OPTIONS-detect_stack_use_after_return=1:strict_string_checks=1}" \
		UBSAN_OPTIONS="${UBSAN_OPTIONS-print_stacktrace=1}" TSAN_OPTIONS="${TSAN_OPTIONS-halt_on_error=1}" \
		timeout -k 10 "$limit" "$@" >"$file.out" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- || status=$?
	if ((status == 124 || status == 137)); then echo "over its time limit of $limit s" >>"$file.out"; fi
	if ((status != 0)); then echo "exit status $status" >>"$file.out"; fi
	if [[ $kind == check ]]; then
		case $status in
		0) echo 1 0 0 ;;
		77) echo 0 0 1 ;;
		*) echo 0 1 0 ;;
		esac
	else
		count_tap "$status" <"$file.out"
	fi >"$file.tmp"
	echo "$(cat "$file.tmp") $((SECONDS - start))" >"$file.count"
	rm -f "$file.tmp"
	chmod -R u+rwx "$home" 2>/dev/null
	rm -rf "$home"
}

names=()
start_part() { # as run_part; waits while all slots are taken
	wanted "$1" || return 0
	while (($(jobs -rp | wc -l) >= slots)); do wait -n; done
	names+=("$1")
	run_part "$@" &
	show_finished
}
show_finished() {
	local name rest=() counts
	for name in "${names[@]}"; do
		if [[ -e $results/${name//\//-}.count ]]; then
			read -ra counts <"$results/${name//\//-}.count"
			report "$name" "${counts[@]}"
		else
			rest+=("$name")
		fi
	done
	names=("${rest[@]}")
}
finish_parts() {
	wait
	show_finished
	local name
	for name in "${names[@]}"; do
		echo "this part left no result" >>"$results/${name//\//-}.out"
		report "$name" 0 1 0 0
	done
	names=()
}

# --- build -----------------------------------------------------------------------------------------------------------

goals=() programs=()
if [[ $suite == bats ]]; then mapfile -t programs < <($make -s --no-print-directory print-tests); fi
for program in "${programs[@]}"; do
	name=${program#"$build/test/"}
	if [[ -n $program ]] && wanted "$name"; then goals+=("$program"); fi
done
if [[ -z $part || $part == bats* || $suite != bats ]]; then goals+=(all); fi
# What a bats file runs.
if [[ $suite == bats ]] && wanted bats/cargo; then goals+=("$build/test/unit/exec_remote"); fi
if ((${#goals[@]})); then
	start=$SECONDS
	# The output of the compiler is wanted as it comes.
	if $make --no-print-directory -Otarget "${goals[@]}" 2>&1; then
		report build 1 0 0 $((SECONDS - start))
	else
		printf 'FAILED build: nothing but the static checks is run\n'
		failed=$((failed + 1))
		programs=()
		no_build=1
	fi
fi

# --- run -------------------------------------------------------------------------------------------------------------

shopt -s nullglob
if [[ $suite == bats ]]; then
	start_part check-layers check 60 sh test/check-layers.sh
	start_part check-headers check 300 "$make" -s --no-print-directory check-headers
	pages=(docs/man/*.[1-8])
	if ((${#pages[@]})); then start_part man check 60 sh test/check-man.sh "${pages[@]}"; fi
fi
for program in "${programs[@]}"; do
	name=${program#"$build/test/"}
	case $name in
	unit/*) start_part "$name" tap "${UNIT_LIMIT:-300}" "$program" ;;
	fuzz/*) start_part "$name" check 300 "$program" "test/fuzz/corpus/${name#fuzz/}" ;;
	esac
done
finish_parts
if [[ -z ${no_build-} && -x $build/jl ]]; then
	# bats runs the tests of a file side by side where GNU parallel is there to help it.
	jobs=()
	if command -v parallel >/dev/null; then jobs=(-j "$slots"); fi
	slots=1
	for file in test/"$suite"/*.bats; do
		name=${file#test/}
		filter=()
		if [[ -n ${F-} ]]; then filter=(--filter "$F"); fi
		start_part "${name%.bats}" tap "${BATS_LIMIT:-900}" bats --tap "${jobs[@]}" "${filter[@]}" "$file"
	done
	finish_parts
fi

# --- nothing stays ---------------------------------------------------------------------------------------------------

for ((i = 0; i < 20; i++)); do
	left=$(leftovers)
	[[ -n $left ]] || break
	sleep 0.1
done
if [[ -z $part || -n $left ]]; then
	printf '%s\n' "$left" >"$results/nothing-left-running.out"
	if [[ -z $left ]]; then report nothing-left-running 1 0 0 0; else report nothing-left-running 0 1 0 2; fi
fi

if ((passed + failed + skipped == 0)); then
	echo "no part is called \"$part\""
	failed=1
fi
if [[ ${CI-} == true ]] && ((skipped > 0)); then
	echo "$skipped skipped: on CI that counts as failed"
	failed=$((failed + skipped)) skipped=0
fi
echo "$passed $failed $skipped" >"$results/totals"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
