#!/bin/sh
# Sees to it that the Debian packages for a purpose are there.
#
#     sh test/deps.sh PURPOSE...         install what is missing, saying it first
#     sh test/deps.sh --list PURPOSE...  print the packages
#
# A package counts as there when dpkg says so, or when what it is wanted for (a program, a file, a pkg-config module)
# is found without it. Nothing is asked of the network when nothing is missing. Exit status: 0 all there; 2 something
# is missing and cannot be installed from here: the line to run is printed.
set -eu

# package  what it is wanted for
packages() {
	case $1 in
	make) cat <<-'END' ;;
		make           cmd:make
	END
	build) cat <<-'END' ;;
		gcc            cmd:gcc
		libc6-dev      file:/usr/include/stdio.h
		pkg-config     cmd:pkg-config
		libyaml-dev    pc:yaml-0.1
		libxxhash-dev  pc:libxxhash
		nettle-dev     pc:nettle
		libjansson-dev pc:jansson
		libzstd-dev    pc:libzstd
		zlib1g-dev     pc:zlib
		libarchive-dev pc:libarchive
		libcurl4-openssl-dev pc:libcurl
	END
	test) cat <<-'END' ;;
		libcmocka-dev  pc:cmocka
		bats           cmd:bats
		bats-assert    file:/usr/lib/bats/bats-assert/load.bash
		bats-support   file:/usr/lib/bats/bats-support/load.bash
		parallel       cmd:parallel
		strace         cmd:strace
		mandoc         cmd:mandoc
		git            cmd:git
		procps         cmd:ps
		util-linux     cmd:flock
		openssh-server file:/usr/sbin/sshd
		openssh-client cmd:ssh
		tmux           cmd:tmux
		libxml2-utils  cmd:xmllint
		graphviz       cmd:dot
		chromium       cmd:chromium
		python3-jsonschema file:/usr/lib/python3/dist-packages/jsonschema
		python3-yaml   file:/usr/lib/python3/dist-packages/yaml
		bash-completion file:/usr/share/bash-completion/bash_completion
		zsh            cmd:zsh
		fish           cmd:fish
		python3-joblib file:/usr/lib/python3/dist-packages/joblib/__init__.py
		zstd           cmd:zstd
		findutils      cmd:xargs
		dpkg-dev       cmd:dpkg-shlibdeps
		lintian        cmd:lintian
	END
	demo) cat <<-'END' ;;
		git            cmd:git
		mawk           cmd:awk
	END
	bench) cat <<-'END' ;;
		ninja-build    cmd:ninja
		make           cmd:make
		tup            cmd:tup
		fuse3          cmd:fusermount3
		parallel       cmd:parallel
		findutils      cmd:xargs
		ccache         cmd:ccache
		xxhash         cmd:xxhsum
		zstd           cmd:zstd
		nginx          file:/usr/sbin/nginx
		openssl        cmd:openssl
		curl           cmd:curl
		openssh-server file:/usr/sbin/sshd
		openssh-client cmd:ssh
		rsync          cmd:rsync
		python3-joblib file:/usr/lib/python3/dist-packages/joblib/__init__.py
	END
	lint) cat <<-'END' ;;
		shellcheck     cmd:shellcheck
		clang-format   cmd:clang-format
		cppcheck       cmd:cppcheck
		mandoc         cmd:mandoc
	END
	deb) cat <<-'END' ;;
		dpkg-dev       cmd:dpkg-shlibdeps
		binutils       cmd:strip
	END
	fuzz) cat <<-'END' ;;
		clang            cmd:clang
		libclang-rt-dev  package
	END
	afl) cat <<-'END' ;;
		afl++          cmd:afl-fuzz
	END
	servers) cat <<-'END' ;;
		python3        cmd:python3
		curl           cmd:curl
		tcsh           cmd:tcsh
		openssl        cmd:openssl
		nginx          file:/usr/sbin/nginx
		iproute2       file:/sbin/ip
		python3-swift  file:/usr/lib/python3/dist-packages/swift
		memcached      cmd:memcached
		rclone         cmd:rclone
	END
	engines) cat <<-'END' ;;
		docker.io      cmd:dockerd
		busybox-static package
		iproute2       file:/sbin/ip
	END
	*)
		echo "deps.sh: unknown purpose \"$1\"; make, build, test, demo, bench, lint, deb, fuzz, afl, servers or engines" >&2
		exit 2
		;;
	esac
}

found() { # package, wanted
	case $2 in
	cmd:*) command -v "${2#cmd:}" >/dev/null 2>&1 && return 0 ;;
	file:*) [ -e "${2#file:}" ] && return 0 ;;
	pc:*) pkg-config --exists "${2#pc:}" 2>/dev/null && return 0 ;;
	esac
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >/dev/null
}

# No package may start a daemon while we install: invoke-rc.d asks this program. What was there before comes back.
policy=/usr/sbin/policy-rc.d
saved=$policy.before-jl
policy_on() {
	# Left over by a run that was killed.
	policy_off
	if [ -e $policy ] || [ -h $policy ]; then mv -f $policy $saved; fi
	printf '#!/bin/sh\n# put here by jl test/deps.sh while it installs packages\nexit 101\n' >$policy
	chmod 755 $policy
}
policy_off() {
	if grep -qs 'put here by jl test/deps.sh' $policy; then rm -f $policy; fi
	if [ -e $saved ] || [ -h $saved ]; then mv -f $saved $policy; fi
}

install() { # as root: packages
	exec 9>/run/jl-deps.lock
	if command -v flock >/dev/null 2>&1; then flock 9; fi
	trap policy_off EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	policy_on
	lists=$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | head -n 1)
	if [ -n "$lists" ] && apt install -y --no-install-recommends "$@"; then return 0; fi
	# One source out of order need not matter: the install says whether it did. A machine that has just come up may be at
	# work on its lists itself, and a mirror may be busy: more than one try.
	for pause in 10 30 0; do
		apt update || true
		if apt install -y --no-install-recommends "$@"; then return 0; fi
		sleep $pause
	done
	return 1
}

if [ "${1-}" = --install ]; then
	shift
	install "$@"
	exit 0
fi

list=
if [ "${1-}" = --list ]; then
	list=1
	shift
fi
missing=
for purpose; do
	table=$(packages "$purpose") || exit 2
	while read -r package wanted; do
		if [ -n "$list" ]; then
			echo "$package"
		elif ! found "$package" "$wanted"; then
			missing="$missing $package"
		fi
	done <<END
$table
END
done
[ -n "$missing" ] || exit 0
missing=${missing# }

if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing: $missing (Debian's names); there is no apt-get here: install what provides them, then run this again"
	exit 2
fi
# shellcheck disable=SC2086 # a list of package names
if [ "$(id -u)" = 0 ]; then
	echo "installing: $missing"
	sh "$0" --install $missing || status=$?
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	echo "installing with sudo: $missing"
	sudo sh "$0" --install $missing || status=$?
else
	status=2
fi
if [ "${status-0}" != 0 ]; then
	echo "missing: $missing; run this as root, then try again:"
	echo "    apt-get update && apt-get install -y --no-install-recommends $missing"
	exit 2
fi
