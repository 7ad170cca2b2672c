# What lands on a machine: make install and uninstall, and the Debian package.
load helper

# As a user would call it, on the build under test: nothing is compiled.
make_here() { run env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$JL_SOURCE" --no-print-directory B="$JL_BUILD" "$@"; }
holds_to() { # manifest, schema
	python3 -c 'import json, sys, jsonschema, yaml
jsonschema.validate(yaml.safe_load(open(sys.argv[1])), json.load(open(sys.argv[2])))' "$@"
}
files_of() { find "$1" ! -type d -printf '%P %m %l\n' | LC_ALL=C sort; }

@test "uninstall takes away all that install put there, and nothing else" {
	root="$BATS_TEST_TMPDIR/a root"
	mkdir -p "$root/opt/share/man/man1" "$root/opt/share/doc/other" "$root/opt/bin"
	echo other >"$root/opt/share/man/man1/other.1"
	echo other >"$root/opt/bin/other"
	files_of "$root" >before
	make_here install DESTDIR="$root" PREFIX=/opt
	assert_success
	files_of "$root/opt" >installed
	for file in bin/jl libexec/jl/jl-archive share/man/man1/jl.1 share/man/man1/jl-run.1 share/man/man5/joblib.yaml.5 \
		share/bash-completion/completions/jl share/zsh/site-functions/_jl share/fish/vendor_completions.d/jl.fish \
		share/jl/joblib.schema.json share/doc/jl/README.md share/doc/jl/docs/cookbook.md share/doc/jl/examples/joblib.yaml; do
		grep -q "^$file " installed || fail "$file is not installed"
	done
	for command in $(jl help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx -e help -e version); do
		grep -q "^share/man/man1/jl-$command.1 " installed || fail "the page of jl $command is not installed"
	done
	# All can read it, and only programs can be executed.
	run awk '$2 != ($1 ~ /^(bin|libexec)\// ? "755" : "644") && $1 != "share/man/man1/other.1" && $1 != "bin/other"' installed
	assert_output ''
	# Twice is as good as once.
	make_here install DESTDIR="$root" PREFIX=/opt
	assert_success
	assert_equal "$(files_of "$root/opt")" "$(cat installed)"
	make_here uninstall DESTDIR="$root" PREFIX=/opt
	assert_success
	assert_equal "$(files_of "$root")" "$(cat before)"
	run find "$root" -name 'jl*'
	assert_output ''
	make_here uninstall DESTDIR="$root" PREFIX=/opt
	assert_success
	make_here uninstall DESTDIR="$BATS_TEST_TMPDIR/never" PREFIX=/opt
	assert_success
}

@test "what is installed works where it is: helper, schema, completion" {
	make_here install DESTDIR= PREFIX="$BATS_TEST_TMPDIR/prefix"
	assert_success
	export PATH=$BATS_TEST_TMPDIR/prefix/bin:${PATH#"$BATS_TEST_TMPDIR/bin:$JL_BUILD:"}
	[[ $(command -v jl) == "$BATS_TEST_TMPDIR/prefix/bin/jl" ]]
	# The manifest names the schema that is installed, and holds to it.
	jl_ok init
	read -r line <joblib.yaml
	assert_equal "$line" "# yaml-language-server: \$schema=$BATS_TEST_TMPDIR/prefix/share/jl/joblib.schema.json"
	cmp "${line#*=}" <(jl schema)
	holds_to joblib.yaml "${line#*=}"
	jl_ok run -q
	jl_ok dump all -o all.tar.zst
	JL_STORE=$BATS_TEST_TMPDIR/other jl_ok load all.tar.zst
	# The shells find the scripts in their folders.
	export XDG_DATA_DIRS=$BATS_TEST_TMPDIR/prefix/share:/usr/share
	run bash --norc -c '. /usr/share/bash-completion/bash_completion; _completion_loader jl; complete -p jl'
	[[ $output == *'_jl jl' ]]
	run fish -c 'complete -C"jl comple"'
	[[ $output == completion* ]]
	run zsh -f -c "fpath=($BATS_TEST_TMPDIR/prefix/share/zsh/site-functions \$fpath); autoload -Uz compinit; compinit -u -D
		print \$_comps[jl]"
	assert_output _jl
}

@test "the manifest of the example names its schema, and holds to it" {
	read -r line <"$JL_SOURCE/joblib.yaml.example"
	assert_equal "$line" '# yaml-language-server: $schema=build/share/jl/joblib.schema.json'
	cmp "$JL_BUILD/share/jl/joblib.schema.json" <(jl schema)
	holds_to "$JL_SOURCE/joblib.yaml.example" "$JL_BUILD/share/jl/joblib.schema.json"
}

@test "init without an installed schema, or with one that no such line can name" {
	mkdir 'a folder' one
	cp "$JL_BUILD/jl" one/jl
	cp -r "$JL_BUILD/jl" "$JL_BUILD/share" 'a folder/'
	one/jl init -C one
	'a folder/jl' init -C 'a folder'
	run cat one/joblib.yaml 'a folder/joblib.yaml'
	refute_output --partial yaml-language-server
}

# Linked anew with the distribution's libraries; the objects are those of the build under test.
@test "the package is right, installs, runs and is removed" {
	if [[ ${JL_SAN-} ]]; then skip "a package of a build with sanitizers"; fi
	built=$BATS_TEST_TMPDIR/deb
	mkdir "$built"
	cp -a "$JL_BUILD/obj" "$JL_BUILD/flags" "$JL_BUILD/libexec" "$built/"
	run env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL DEBFULLNAME='Jo Lib' DEBEMAIL=jo@joblib.org \
		make -C "$JL_SOURCE" --no-print-directory deb DEB="$built" DEB_FLAGS=
	assert_success
	package=$(echo "$BATS_TEST_TMPDIR"/jl_*.deb)
	run lintian --no-cfg --allow-root --fail-on error,warning "$package"
	assert_success
	refute_output --partial 'E: '
	run dpkg-deb -f "$package" Depends
	for library in libc6 libyaml-0-2 libzstd1 zlib1g libarchive13; do
		[[ $output == *$library* ]] || fail "$library is not among: $output"
	done

	# A system with no package but this one.
	root=$BATS_TEST_TMPDIR/system
	mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/usr/bin"
	: >"$root/var/lib/dpkg/status"
	echo other >"$root/usr/bin/other"
	files_of "$root/usr" >before
	dpkg_there() { dpkg --root="$root" --force-not-root --force-bad-path --force-depends --log=/dev/null "$@" >dpkg.log 2>&1; }
	as_root=()
	if [[ $(id -u) != 0 ]]; then as_root=(unshare -r); fi
	"${as_root[@]}" true || skip "neither root nor a user namespace"
	export -f dpkg_there
	export root package
	"${as_root[@]}" bash -c 'dpkg_there -i "$package"' || fail "$(cat dpkg.log)"
	[[ -e $root/usr/share/zsh/vendor-completions/_jl && -e $root/usr/share/man/man1/jl-run.1.gz ]]
	PATH=$root/usr/bin:/usr/bin:/bin
	[[ $(command -v jl) == "$root/usr/bin/jl" ]]
	jl_ok init
	grep -qF "\$schema=$root/usr/share/jl/joblib.schema.json" joblib.yaml
	jl_ok run
	assert_counts ran=5
	jl_ok run
	assert_counts fresh=5
	jl_ok dump all -o all.tar.gz
	"${as_root[@]}" bash -c 'dpkg_there -P jl' || fail "$(cat dpkg.log)"
	assert_equal "$(files_of "$root/usr")" "$(cat before)"
	run find "$root/usr" -name '*jl*'
	assert_output ''
}
