# jl dump and jl load: results and files as one archive, there and back.
load helper
setup() {
	jl_setup
	# Another machine: its own store and folder.
	export THERE=$BATS_TEST_TMPDIR/there
	mkdir -p "$THERE/ws"
	there() { (cd "$THERE/ws" && JL_STORE=$THERE/store jl "$@"); }
	# What a store holds, but for what is only of this machine.
	store_of() { (cd "$1" 2>/dev/null && find . -type f ! -path './use*' ! -name version -print0 | sort -z | xargs -0r md5sum); }
}

results() {
	write_manifest <<-'END'
		version: 1
		steps:
		  tree:
		    command: |
		      mkdir -p out/empty
		      seq 40000 > out/big
		      printf 'a\0b' > 'out/a b'
		      chmod 751 'out/a b'
		      ln -s big out/link
		      echo said
		      echo more >&2
		    outputs: out/
		  each:
		    foreach: [x, y]
		    command: tally each; echo ${{ item }} > ${{ output }}
		    outputs: each/${{ item }}
	END
	cp joblib.yaml "$THERE/ws/"
	jl_ok run
	tallied=$(tallies each)
}

@test "a dump of steps, loaded elsewhere, is a hit there" {
	results
	jl dump tree each >d
	there load <d
	[[ $(find "$THERE/ws" -type f) == "$THERE/ws/joblib.yaml" ]]
	(cd "$THERE/ws" && JL_STORE=$THERE/store jl run) 2>&1 | tee log
	grep -q '3 steps: 0 ran, 0 fresh, 3 restored, 0 failed' log
	grep -qx said log
	diff -r out "$THERE/ws/out"
	[[ $(stat -c %a "$THERE/ws/out/a b") == 751 && $(tallies each) == "$tallied" ]]
}

@test "a step with a depfile is a hit elsewhere" {
	write_manifest <<-'END'
		version: 1
		steps:
		  o: {command: "tally o; cat in h > out; echo out: in h > d", inputs: in, outputs: out, depfile: d}
	END
	echo 1 >in
	echo 2 >h
	jl_ok run
	cp joblib.yaml in h "$THERE/ws"
	jl dump o | there load -q
	(cd "$THERE/ws" && JL_STORE=$THERE/store jl run) 2>&1 | grep '0 ran, 0 fresh, 1 restored'
	cmp out "$THERE/ws/out"
	[[ $(tallies o) == 1 ]]
	echo 3 >"$THERE/ws/h"
	(cd "$THERE/ws" && JL_STORE=$THERE/store jl run) 2>&1 | grep '1 ran, 0 fresh, 0 restored'
}

@test "load -x puts outputs in place; what is in the way stays" {
	results
	jl dump each 'tree' -o d.tar.zst
	there load -x - <d.tar.zst
	diff -r out "$THERE/ws/out"
	[[ -L $THERE/ws/out/link && -d $THERE/ws/out/empty && $(cat "$THERE/ws/each/y") == y ]]
	echo mine >"$THERE/ws/each/y"
	rm "$THERE/ws/each/x"
	run --separate-stderr there load -x - <d.tar.zst
	assert_status 1
	[[ $stderr == *'"each/y" is in the way'*--force* ]]
	[[ $(cat "$THERE/ws/each/y") == mine && ! -e $THERE/ws/each/x ]]
	there load -x --force - <d.tar.zst
	[[ $(cat "$THERE/ws/each/y") == y && $(cat "$THERE/ws/each/x") == x ]]
	run -0 find "$THERE" -name '.tmp-*'
	assert_output ''
}

@test "load -x compares what lies in the way once" {
	write_manifest <<-'END'
		version: 1
		steps: {a: {command: "for i in $(seq 50); do echo $i > out/$i; done", outputs: out/}}
	END
	jl_ok run
	jl dump a >d.tar
	count_syscalls jl load -x d.tar
	assert_success
	# Two a file, and some for the folder.
	[[ $(syscalls openat2) -ge 50 && $(syscalls openat2) -lt 150 ]] || fail "$(syscalls openat2) calls of openat2"
}

@test "every format, by name and by ending, there and back" {
	results
	for f in zst gz zlib bz2 xz lzma lz4 tar; do
		jl dump tree -o "d.$f"
	done
	[[ $(head -c 4 d.zst | od -An -tx1) == ' 28 b5 2f fd' && $(head -c 2 d.gz | od -An -tx1) == ' 1f 8b' ]]
	[[ $(head -c 3 d.bz2) == BZh && $(head -c 6 d.xz | tail -c 5) == $'7zXZ' && $(head -c 4 d.lz4 | od -An -tx1) == ' 04 22 4d 18' ]]
	python3 -c 'import zlib; d = zlib.decompress(open("d.zlib", "rb").read()); assert d == open("d.tar", "rb").read()'
	for f in zst gz zlib bz2 xz lzma lz4 tar; do
		rm -rf "$THERE"/{store,ws}
		mkdir "$THERE/ws"
		there load -x "$WS/d.$f"
		diff -r out "$THERE/ws/out"
	done
	for f in zstd:1 gzip:9 zlib:1 bz2:1 xz:0 none; do
		if [[ $f == xz:0 ]]; then f=xz:1; fi
		jl dump --compress $f tree | there load -q
	done
	for f in zstd:99 lzw none:1 gzip:x; do
		run_jl dump --compress "$f" tree
		assert_status 2
		[[ $stderr == *'--compress'* ]]
	done
	# The same bytes each time.
	jl dump tree -o again.gz
	cmp d.gz again.gz
}

@test "an archive as version 1 wrote it is loaded" {
	local key=676ffb4a2f309f33ea99d565558f5395
	jl_ok load -x "$JL_SOURCE/test/golden/archive-v1.tar"
	assert_file plain plain
	assert_file out/one one
	assert_equal "$(readlink out/link)" one
	jl cat "$key" out/many | cmp - <(seq 2000)
	assert_equal "$(jl log "$key")" said
	jl_ok cache verify
}

@test "tar opens it" {
	mkdir -p 'p/q r'
	printf 'a\0b' >'p/q r/f'
	ln -s 'q r' p/l
	chmod 750 'p/q r/f'
	touch -d 2001-02-03 'p/q r/f'
	jl dump ./p -o p.tgz
	mkdir x
	tar -C x -xpf p.tgz
	diff -r p x/p
	[[ $(stat -c %a-%Y 'x/p/q r/f') == "750-$(date -d 2001-02-03 +%s)" && $(readlink x/p/l) == 'q r' ]]
	# And the other way round: plain files that tar packed.
	tar -cjf q.tbz p
	there load -x - <q.tbz
	diff -r p "$THERE/ws/p"
	run --separate-stderr there load - <q.tbz
	assert_status 2
	[[ $stderr == *'holds files of its own ("p")'* ]]
}

@test "a step, a key, a file: what a word means" {
	results
	echo plain >file
	mkdir each.d
	echo in >each.d/f
	jl dump 'each[x]' | there load 2>err
	grep -q '1 results' err
	key=$(jl list -v --help >/dev/null; find "$JL_STORE/ac" -type f -printf '%f\n' | head -n 1)
	jl dump "$key" | tar --zstd -tf - | grep -q "ac/.*/$key"
	jl dump file each.d | tar --zstd -tf - >names
	diff names - <<<$'file\neach.d/\neach.d/f'
	# A file of the name of a step.
	echo 1 >tree
	jl dump ./tree | tar --zstd -tf - | grep -qx tree
	run_jl dump nosuch
	assert_status 2
	[[ $stderr == *'no step "nosuch"'* ]]
	run_jl dump ./nosuch
	assert_status 2
	run_jl dump ../there
	assert_status 2
	[[ $stderr == *'-C DIR'* ]]
	mkfifo fifo
	run_jl dump ./fifo -o f.tar
	assert_status 2
	[[ ! -e f.tar && $stderr == *'neither a file nor a folder nor a link'* ]]
	jl_ok clean
	rm -rf "$JL_STORE"
	run_jl dump tree -o gone.zst
	assert_status 2
	[[ ! -e gone.zst && $stderr == *'no longer whole'* ]]
}

@test "a stream that is cut anywhere, or with a bit flipped, changes nothing" {
	results
	there load /dev/null && fail 'an empty file is no archive'
	JL_STORE=$THERE/store jl memo true
	before=$(store_of "$THERE/store")
	for f in zst gz tar; do
		jl dump tree -o "d.$f"
		size=$(stat -c %s "d.$f")
		for i in 1 2 3 4 5 6 7 8 9 10 11; do
			head -c $((size * i / 12)) "d.$f" >part
			run --separate-stderr there load -x "$WS/part"
			assert_status 1
			[[ -n $stderr && $(store_of "$THERE/store") == "$before" ]] || fail "$f cut at $i: $stderr"
		done
	done
	# At the end of an entry, where a tar file only lacks its end.
	python3 - <<-'END'
		import tarfile
		t = tarfile.open("d.tar")
		last = t.getmembers()[-1]
		open("part", "wb").write(open("d.tar", "rb").read()[:last.offset_data])
	END
	run --separate-stderr there load -x "$WS/part"
	assert_status 1
	assert_equal "$(store_of "$THERE/store")" "$before"
	# In a plain tar file only our own digests notice.
	for i in 2 3 5 7 9; do
		python3 -c 'import sys
b = bytearray(open("d.tar", "rb").read())
b[len(b) * '$i' // 12] ^= 4
open("flipped", "wb").write(b)'
		run --separate-stderr there load -x "$WS/flipped"
		assert_status 1
		[[ -n $stderr && $(store_of "$THERE/store") == "$before" ]] || fail "flipped at $i: $stderr"
	done
	[[ $(ls -A "$THERE/ws") == joblib.yaml ]]
	run -0 find "$THERE" -name '.tmp-*' -o -name '*.cas'
	assert_output ''
}

@test "S40 a hostile archive writes nothing outside, and nothing at all" {
	mkdir -p "$THERE/outside"
	ln -s ../outside "$THERE/ws/way"
	hostile() { # name, python that fills t
		python3 - "$2" <<-'END'
			import io, sys, tarfile
			t = tarfile.open("evil.tar", "w")
			def add(name, type=tarfile.REGTYPE, link="", data=b"x"):
			    i = tarfile.TarInfo(name)
			    i.type, i.linkname = type, link
			    i.size = len(data) if type == tarfile.REGTYPE else 0
			    t.addfile(i, io.BytesIO(data))
			add("good")
			exec(sys.argv[1])
			t.close()
		END
		run --separate-stderr there load -x --force "$WS/evil.tar"
		[[ $status != 0 && -n $stderr ]] || fail "$1: status $status"
		[[ ! -e $THERE/ws/good && -z $(ls -A "$THERE/outside") && ! -e $THERE/evil ]] || fail "$1 was let through"
	}
	hostile 'parent' 'add("../evil")'
	hostile 'parent inside' 'add("a/../../evil")'
	hostile 'absolute' 'add("'"$THERE"'/evil")'
	hostile 'link outward' 'add("l", tarfile.SYMTYPE, "../outside")'
	hostile 'absolute link' 'add("l", tarfile.SYMTYPE, "/etc/passwd")'
	hostile 'through a link of theirs' 'add("d", tarfile.SYMTYPE, "way"); add("way/f")'
	hostile 'through a link that was there' 'add("way/f")'
	hostile 'hard link' 'add("h", tarfile.LNKTYPE, "good")'
	hostile 'device' 'add("n", tarfile.CHRTYPE)'
	hostile 'fifo' 'add("p", tarfile.FIFOTYPE)'
	hostile 'state' 'add(".jl/state")'
	hostile 'git' 'add(".git/config")'
	hostile 'version' 'add(".jl-dump/version", data=b"jl dump 2\n")'
	hostile 'part' 'add(".jl-dump/ac/../../evil")'
	hostile 'blob' 'add(".jl-dump/cas/00/00000000000000000000000000000000")'
	hostile 'record' 'add(".jl-dump/ac/00/00000000000000000000000000000000")'
	# setuid does not come along.
	python3 -c 'import io, tarfile
t = tarfile.open("s.tar", "w")
i = tarfile.TarInfo("s"); i.mode = 0o6755; t.addfile(i); t.close()'
	there load -x "$WS/s.tar"
	[[ $(stat -c %a "$THERE/ws/s") == 755 ]]
}

@test "a record whose blob is missing is refused" {
	results
	jl dump tree -o d.tar
	python3 - <<-'END'
		import tarfile
		a, b = tarfile.open("d.tar"), tarfile.open("e.tar", "w")
		for m in a:
		    if "/cas/" not in m.name:
		        b.addfile(m, a.extractfile(m))
		b.close()
	END
	run --separate-stderr there load "$WS/e.tar"
	assert_status 1
	[[ $stderr == *'the result of "tree" is not whole'* ]]
	# Unless the store has it.
	jl_ok load e.tar
}

@test "a pipe that breaks, a disk that is full, a helper that is not there" {
	results
	head -c 3000000 /dev/urandom >noise
	run bash -c 'set -o pipefail; jl dump ./noise | head -c 10 >/dev/null'
	assert_status 141
	if [[ -c /dev/full ]]; then
		run_jl dump ./noise -o /dev/full
		assert_status 3
		[[ $stderr == *'No space left'* ]]
	fi
	cp "$JL_BUILD/jl" "$BATS_TEST_TMPDIR/bin/jl-alone"
	run --separate-stderr jl-alone dump tree -o x
	assert_status 2
	[[ $stderr == *'the helper "jl-archive": there is no '*'/libexec/jl/jl-archive: install it with jl'* && ! -e x ]]
	run --separate-stderr jl dump tree -o nosuch/x
	assert_status 2
}

@test "much goes through a pipe in little memory" {
	if [[ -n ${JL_SAN-} ]]; then skip "sanitizers take memory of their own"; fi
	write_manifest <<-'END'
		version: 1
		steps:
		  big: {command: "seq 14000000 >big; head -c 80000000 /dev/urandom >>big", outputs: big}
	END
	jl_ok run
	cat >peak <<-'END'
		import resource, subprocess, sys
		subprocess.run(sys.argv[1], shell=True, check=True)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
	END
	peak=$(python3 peak "jl dump big | JL_STORE=$THERE/store jl load -q")
	((peak < 65536)) || fail "$peak KiB"
	JL_STORE=$THERE/store jl cat "$(find "$JL_STORE/ac" -type f -printf '%f\n')" | cmp - big
}
