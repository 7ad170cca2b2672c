# What travels to hosts and back: the same keys, records and outputs wherever a step runs.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # bats sets stderr; texts for others' shells; tests are subshells
load helper
load ../servers/helper
setup() { jl_setup; }

agent() { echo "$JL_BUILD/libexec/jl/jl-agent-$(uname -m)"; }

box() { # slots, the rest of the manifest on stdin
	printf 'version: 1\nexecutors:\n  box: {type: command, launch: ["%s"], slots: %s}\n' "$(agent)" "$1" >joblib.yaml
	cat >>joblib.yaml
}

@test "with shared stores: the same SHA-256 keys here and on a host; what a host made is a hit for others" {
	sshd_start
	export JL_REMOTE_PATIENCE=2m # a busy machine is not a dead remote
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$BATS_TEST_TMPDIR/shared", mode: readwrite}]}
		executors: {lab: {type: ssh, hosts: [h1]}}
		steps:
		  one: {command: "cat in big > t/sum; ln -s sum t/link; head -c 300000 big > t/large; mkdir t/none; echo said", inputs: [in, big], outputs: t/}
		  two: {command: "tr a-z A-Z < t/sum", inputs: t/, stdout: upper}
		  three: {command: "head -c 3 t/link", inputs: [t/link], stdout: first}
	END
	echo in >in
	head -c 900000 /dev/urandom >big
	jl_ok run --executor lab --events there
	assert_counts ran=3
	tree_content t >there.tree
	jl_ok run
	assert_counts fresh=3
	assert_regex "$(event_keys there)" 'one sha256:'
	# Another user, who has nothing of his own.
	mkdir -p "$BATS_TEST_TMPDIR/bob/home"
	cp joblib.yaml in big "$BATS_TEST_TMPDIR/bob"
	(
		cd "$BATS_TEST_TMPDIR/bob"
		export HOME=$PWD/home JL_STORE=$PWD/store
		jl_ok run
		assert_counts restored=3
		assert_equal "$(tree_content t)" "$(cat "$WS/there.tree")"
	)
	rm -r .jl t upper first "$JL_STORE" "$BATS_TEST_TMPDIR/shared"
	jl_ok run --events here
	assert_counts ran=3
	assert_equal "$(tree_content t)" "$(cat there.tree)"
	assert_equal "$(event_keys here)" "$(event_keys there)"
}

@test "S26 a script of over 128 KiB runs on a host from a file of its own, beside the folder with its inputs" {
	{
		printf '%s\n' 'version: 1' 'executors:' "  box: {type: command, launch: [\"$(agent)\"], slots: 1}" 'steps:' '  a:' '    outputs: o' '    command: |'
		seq -f '      x=%.0f; true "$x"' 12000
		printf '%s\n' '      echo "$0 $x" $(ls -A) > ${{ output }}'
	} >joblib.yaml
	jl_ok run --executor box
	assert_file o "bash 12000"
	jl_ok run
	assert_counts fresh=1
	assert_equal "$(find . "$XDG_CACHE_HOME/jl/agent/run" -name '.tmp-*' -o -name script)" ""
	sed -i 's/^      echo .*/      sh -c "exit 7"/' joblib.yaml
	run_jl run --executor box
	assert_status 1
	assert_stderr_has "a failed: exit 7"
	local long
	long=$(head -c 140000 /dev/zero | tr '\0' x)
	printf '%s\n' 'version: 1' 'executors:' "  box: {type: command, launch: [\"$(agent)\"], slots: 1}" 'steps:' "  a: {command: [echo, $long]}" >joblib.yaml
	run_jl run --executor box
	assert_status 1
	assert_stderr_has "argument 1 is 140000 bytes long, the system takes at most 131071; put it into a file"
}

shared() { # further keys of the executor, the steps on stdin
	printf 'version: 1\nexecutors:\n  near: {type: command, launch: ["%s"], slots: 2, sync: shared%s}\ndefaults: {executor: near}\n' "$(agent)" "$1" >joblib.yaml
	cat >>joblib.yaml
}

@test "sync: shared: a step runs in the workspace itself, as it would here" {
	shared '' <<'EOF2'
steps:
  one: {command: "pwd; cat hidden; ls -A o; cat in > o/one; chmod 750 o/one; ln -s one o/l; mkdir o/none", inputs: in, outputs: o/}
  two: {command: "cat; echo err >&2; test -d \"$TMPDIR\"", stdin: o/l, stdout: sub/upper, stderr: sub/upper}
  three: {command: "cat ../../far > three; pwd > where", inputs: [../far, sub/upper], outputs: [sub/three, sub/where], workdir: sub}
EOF2
	echo in >in
	echo hidden >hidden
	echo far >../far
	jl_ok run --events events
	assert_counts ran=3
	assert_output "$WS"$'\nhidden'
	assert_regex "$(cat events)" '"executor":"near","host":"near"'
	assert_file sub/upper $'in\nerr'
	assert_file sub/three far
	assert_file sub/where "$WS/sub"
	assert_equal "$(stat -c %a o/one)" 750
	tree_content o sub >there
	jl_ok run
	assert_counts fresh=3
	assert_equal "$(find .jl -name '.tmp-*'; find "$XDG_CACHE_HOME/jl/agent/run" -mindepth 1)" ""
	# A result is stored as that of a step here, under the same key.
	rm -r .jl o sub
	jl_ok run
	assert_counts restored=3
	rm -r .jl o sub "$JL_STORE"
	jl_ok run --executor local --events here
	assert_equal "$(tree_content o sub)" "$(cat there)"
	assert_equal "$(event_keys here)" "$(event_keys events)"
	# What is in the way goes to the trash, and former outputs go, as here.
	echo mine >o/mine
	echo more >>in
	jl_ok run
	assert_regex "$output" 'hidden'
	assert_trashed o/mine
	assert_equal "$(ls o)" $'l\nnone\none'
}

@test "sync: shared: a failed step's outputs, a missing one, an input changed meanwhile: as here" {
	shared '' <<'EOF2'
steps:
  a: {command: "echo part > o; exit 3", inputs: in, outputs: o}
  b: {command: "true", inputs: in, outputs: p}
  c: {command: "echo more >> moved; cp moved q", inputs: moved, outputs: q}
EOF2
	touch in moved
	run_jl run -k
	assert_status 1
	assert_equal "$(cat .jl/failed/a/o)" part
	assert_no_file o
	assert_stderr_has 'a failed: exit 3'
	refute_stderr_has 'only its declared inputs'
	assert_stderr_has 'output "p" was not made'
	assert_stderr_has 'c: not stored: '
	assert_file q more
}

# Another file system at the other end: its root has no such workspace.
elsewhere() { printf '#!/bin/sh\nexec unshare -rm sh -c "mount -t tmpfs none %s && exec %s"\n' "$WS" "$(agent)" >"$BATS_TEST_TMPDIR/bin/elsewhere"; }

@test "sync: shared is not believed: a host without this workspace is set aside, and the others do the work" {
	unshare -rm true 2>/dev/null || skip "no user namespaces here"
	elsewhere
	chmod +x "$BATS_TEST_TMPDIR/bin/elsewhere"
	write_manifest <<-END
		version: 1
		executors: {far: {type: command, launch: [elsewhere], sync: shared}}
		steps: {a: {command: "tally a", inputs: in, executor: far}}
	END
	touch in
	run_jl run
	assert_status 1
	assert_stderr_has "jl: warning: host \"far\" of \"far\": \"sync: shared\", and it has not this workspace at \"$WS\""
	assert_equal "$(grep -c 'host "far" of' <<<"$stderr")" 1
	assert_stderr_has 'no host of "far" can be had'
	assert_tallies 0
	run_jl hosts
	assert_status 1
	assert_output --partial '"sync: shared", and it has not this workspace'
	sed -i 's/, sync: shared//' joblib.yaml
	jl_ok run
	assert_tallies 1
}

@test "S34: sync: shared: what a lost host left in the workspace is a failure's, and the step runs again" {
	shared '' <<EOF2
steps:
  a: {command: "test ! -e o; if mkdir $BATS_TEST_TMPDIR/gone 2>/dev/null; then echo part > o; kill -9 \$PPID; sleep 1000; fi; echo whole > o", inputs: in, outputs: o}
EOF2
	touch in
	jl_ok run
	assert_file o whole
	assert_stderr_has 'host "near" was lost; it runs again'
	assert_equal "$(cat .jl/failed/a/o)" part
	assert_equal "$(trashed)" ""
}

# A compiler, as far as depfiles go: cc.sh OUT SOURCE HEADER...; the depfile is OUT.d.
compiler() {
	cat >cc.sh <<-'END'
		#!/bin/sh
		out=$1; shift
		cat "$@" >"$out" && echo "$out: $*" >"$out.d"
	END
	chmod +x cc.sh
}

@test "a depfile on a host: declared headers count, the host's own do not, an undeclared one is not there" {
	compiler
	mkdir -p inc "$BATS_TEST_TMPDIR/sys"
	echo c >a.c
	echo h >inc/a.h
	echo other >inc/b.h
	echo stdio >"$BATS_TEST_TMPDIR/sys/stdio.h"
	box 2 <<EOF2
defaults: {executor: box}
steps:
  all: {command: "./cc.sh \${{ output }} a.c inc/a.h", inputs: [a.c, inc/], outputs: a.o, depfile: a.o.d}
  sys: {command: "./cc.sh \${{ output }} a.c inc/a.h $BATS_TEST_TMPDIR/sys/stdio.h", inputs: [a.c, inc/a.h], outputs: s.o, depfile: s.o.d}
  not: {command: "./cc.sh \${{ output }} a.c inc/b.h", inputs: a.c, outputs: n.o, depfile: n.o.d, manual: true}
  none: {command: "touch \${{ output }}", inputs: a.c, outputs: z.o, depfile: z.o.d, manual: true}
EOF2
	jl_ok run --events there
	assert_counts ran=2
	assert_file a.o.d "a.o: a.c inc/a.h"
	jl_ok run
	assert_counts fresh=2
	# The one header is another's on that host: what it is here says nothing.
	echo changed >"$BATS_TEST_TMPDIR/sys/stdio.h"
	jl_ok run
	assert_counts fresh=2
	echo changed >>inc/a.h
	jl_ok run
	assert_counts ran=2
	run_jl run not
	assert_status 1
	assert_stderr_has 'inc/b.h: No such file'
	assert_stderr_has 'only its declared inputs are there'
	jl_ok run none
	assert_stderr_has 'not stored: its depfile "z.o.d" was not written'
	# A hit anywhere, and the same key where only declared headers are used.
	rm -r .jl ./*.o ./*.d
	jl_ok run
	assert_counts restored=2
	rm -r .jl ./*.o ./*.d "$JL_STORE"
	jl_ok run --executor local --events here
	assert_counts ran=2
	sed -i 's/changed//; /^$/d' inc/a.h
	jl_ok run --executor local --events here
	assert_equal "$(event_keys here | grep ^all)" "$(event_keys there | grep ^all)"
	refute [ "$(event_keys here | grep ^sys)" = "$(event_keys there | grep ^sys)" ]
}

@test "a depfile with sync: shared: what it names in the workspace counts, what is outside does not" {
	compiler
	mkdir -p "$BATS_TEST_TMPDIR/sys"
	echo c >a.c
	echo h >a.h
	echo stdio >"$BATS_TEST_TMPDIR/sys/stdio.h"
	shared '' <<EOF2
steps:
  a: {command: "./cc.sh \${{ output }} a.c a.h ../sys/stdio.h $BATS_TEST_TMPDIR/sys/stdio.h \$PWD/a.h", inputs: a.c, outputs: a.o, depfile: a.o.d}
EOF2
	jl_ok run
	echo changed >"$BATS_TEST_TMPDIR/sys/stdio.h"
	jl_ok run
	assert_counts fresh=1
	echo changed >a.h
	jl_ok run
	assert_counts ran=1
}

# An ssh that is cut when so many bytes have gone to the host, as often as there are numbers in the file "cuts"; what went each time is
# the size of sent.1, sent.2 ... One begins when the one before is over at both ends.
cut_ssh() { # bytes...
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/cuts"
	cat >"$BATS_TEST_TMPDIR/bin/cut-ssh" <<-END
		#!/bin/bash
		cd "$BATS_TEST_TMPDIR" || exit 1
		exec 9>>cut.lock
		flock 9
		i=\$((\$(cat cut.count 2>/dev/null || echo 0) + 1))
		echo \$i >cut.count
		n=\$(sed -n "\${i}p" cuts)
		exec > >(exec tee -p received.\$i) # so that what comes is counted, too
		perl -e 'my \$n = shift // 1e15; while (\$n > 0 && sysread(STDIN, my \$b, \$n < 65536 ? \$n : 65536)) { \$n -= length \$b; syswrite STDOUT, \$b }' \$n |
			tee sent.\$i | ssh "\$@"
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/cut-ssh"
	export JL_SSH=cut-ssh
}
sent() { stat -c %s "$BATS_TEST_TMPDIR/sent.$1"; } # of which connection

@test "a large input that is cut on its way goes on where it was; what came of it wrong is sent anew" {
	sshd_start
	write_manifest <<'END'
version: 1
executors: {lab: {type: ssh, hosts: [{host: h1, slots: 1}]}}
steps: {a: {command: "cksum < big > o", inputs: big, outputs: o, executor: lab}}
END
	head -c 8000000 /dev/urandom >big
	jl_ok hosts # the agent is there
	cut_ssh 2500000 3000000
	jl_ok run
	assert_file o "$(cksum <big)"
	assert_stderr_has 'it runs again'
	[[ $(sent 1) == 2500000 && $(sent 2) == 3000000 ]]
	# 8,000,000 bytes in all, and for each cut the piece that it went through.
	[[ $(sent 3) -ge 2500000 && $(sent 3) -le 2700000 ]]
	assert_equal "$(ls "$(ssh_home h1)/.cache/jl/agent/partial")" ""
	# A part from before that is not the beginning of it.
	local name
	head -c 8000000 /dev/urandom >big
	name=$(jl hash big | grep -oE '[0-9a-f]{32}')
	head -c 5000000 /dev/urandom >"$(ssh_home h1)/.cache/jl/agent/partial/$name"
	jl_ok run
	assert_file o "$(cksum <big)"
	[[ $(sent 4) -ge 11000000 && $(sent 4) -le 11100000 ]]
}

@test "ssh: what every executor must do, and what agents do" {
	sshd_start
	run env JL_TEST_SSH=h1 "$JL_BUILD/test/unit/exec_remote"
	assert_status 0
	assert_output --partial 'ok - ssh'
	assert_output --partial 'ok 1 - test_inputs_travel'
	assert_equal "$(find "$(ssh_home h1)/.cache/jl/agent/run" -mindepth 1)" ""
}

@test "one manifest, run here, by ssh, by a command and in a shared workspace: the same keys, records and outputs" {
	sshd_start
	mkdir manifest sub
	printf '#!/bin/sh\ncat "$@"\n' >mycat
	chmod +x mycat
	printf 'in\377\n' >in
	head -c 200000 /dev/urandom >big
	ln -s ../in sub/l
	mkdir sub/none
	echo 'a b' >'sub/with blank'
	cp -a mycat in big sub manifest
	cat >manifest/joblib.yaml <<END
version: 1
executors:
  lab: {type: ssh, hosts: [h1]}
  box: {type: command, launch: [sh, -c, "exec '$(agent)'"], slots: 2}
  near: {type: command, launch: ["$(agent)"], slots: 2, sync: shared}
vars: {said: "it's \$x"}
steps:
  files: {command: "./mycat in > o1; head -c 5000 big > o2; cp big o3; : > empty", inputs: [in, big, mycat], outputs: [o1, o2, o3, empty]}
  modes: {command: "for m in 755 700 640 444 600; do echo \$m > m\$m; chmod \$m m\$m; done", outputs: [m755, m700, m640, m444, m600], inputs: in}
  owned: {command: "mkdir t/none t/a t/a/b; cp -P sub/l t/a/l; ln -s a/b t/dir; cat sub/l t/../sub/with* > t/a/b/text; chmod 750 t/a", inputs: [sub/, in], outputs: t/}
  globs: {command: "echo 1 > g/1.txt; echo 2 > g/2.txt; echo 3 > g/3.log; echo 4 > g/no.txt; mkdir -p g/d; echo 5 > g/d/5.txt", inputs: in,
          outputs: [{glob: "g/**/*.txt"}, "!g/no*", {path: g/3.log}]}
  some: {command: "echo yes > some", inputs: in, outputs: [{path: some}, {path: other, optional: true}]}
  link: {command: "ln -s o1 link; ln -s /nowhere/../tmp abs 2>/dev/null; rm -f abs; echo done", inputs: [files], outputs: link, after: files}
  streams: {command: "cat; echo err >&2", stdin: in, stdout: s/out, stderr: s/err}
  both: {command: "echo 1; echo 2 >&2; echo 3; echo 4 >&2", inputs: in, stdout: s/both, stderr: s/both}
  logged: {command: "cat in; printf 'no newline'", inputs: in}
  env: {command: [sh, -c, 'echo "\$A \$B \$PASSED \$LC_ALL \$JL_STEP \$UNSEEN" > e', "\${{ vars.said }}"], env: {A: "\${{ vars.said }}", B: ""}, pass_env: [PASSED],
        inputs: in, outputs: e}
  there: {command: "cat ../in 'with blank' > ../w; cat w2 2>/dev/null || echo two > w2", inputs: [in, "sub/with blank"], outputs: [w, sub/w2], workdir: sub}
  tool: {command: "sed s/a/b/ 'sub/with blank' > tool", inputs: "sub/with blank", outputs: tool, tools: [sed]}
  each: {foreach: sub/*, command: "test -d \${{ item }} || cat \${{ item }}; echo > \${{ output }}", inputs: "\${{ item }}", outputs: "each/\${{ item.name }}.o"}
  matrix: {matrix: {a: [x, "y z"], b: [1, 2]}, command: "echo \${{ matrix.a }} \${{ matrix.b }} > \${{ output }}", inputs: in,
           outputs: "m/\${{ matrix.b }}/\${{ matrix.a }}"}
  deep: {command: "cat t/a/b/text m/1/x each/*.o > deep; find t | sort > found", inputs: [t/, m/1/x, each/*.o], outputs: [deep, found]}
  umask: {command: "umask > u; umask 027; echo > u2; mkdir u3/d; echo > u3/d/f", inputs: in, outputs: [u, u2, u3/]}
END
	sed -i 's/inputs: \[files\], outputs: link/inputs: in, outputs: link/' manifest/joblib.yaml
	export PASSED=passed UNSEEN=unseen
	local where
	for where in local lab box near; do
		cp -a "$WS/manifest" "$BATS_TEST_TMPDIR/at"
		cd "$BATS_TEST_TMPDIR/at"
		JL_STORE=$BATS_TEST_TMPDIR/store.$where jl_ok run --executor $where --events "../events.$where" # in the same folder, which some may say
		assert_regex "$stderr" ': [0-9]+ ran, 0 fresh, 0 restored, 0 failed'
		tree_content . | grep -av -e " \./\.jl" -e g/no.txt >"../tree.$where" # what is no output stays only here
		event_keys "../events.$where" >"../keys.$where"
		python3 "$JL_SOURCE/test/records.py" "../store.$where" >"../records.$where"
		JL_STORE=$BATS_TEST_TMPDIR/store.$where jl_ok run
		refute_regex "$stderr" ': [1-9][0-9]* ran|restored, [1-9]'
		cd "$BATS_TEST_TMPDIR"
		rm -r at
	done
	[[ $(wc -l <records.local) -ge 20 && $(wc -l <tree.local) -ge 40 ]]
	for where in lab box near; do
		for what in keys tree records; do diff $what.local $what.$where; done
	done
}

@test "keep is of this machine: in a folder of its own on a host there is nothing of before" {
	box 1 <<'EOF2'
steps:
  a: {command: "ls -A o; cat in > o/$(cat in)", inputs: in, outputs: o/, keep: true}
EOF2
	echo one >in
	jl_ok run
	echo two >in
	jl_ok run
	assert_output one
	assert_equal "$(ls o)" $'one\ntwo'
	echo three >in
	jl_ok run --executor box
	assert_output ""
	assert_equal "$(ls o)" three
}
