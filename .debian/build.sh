#!/bin/sh
# Makes a Debian package of an installed tree: build.sh TREE VERSION PACKAGE
#
# TREE is what "make install PREFIX=/usr DESTDIR=TREE" left, and becomes the package's; no right but to write there is needed.
# $DEBFULLNAME and $DEBEMAIL are whom the package names, else the account. `make deb` calls it.
set -eu
tree=$1 version=$2 package=$3
here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${DEBEMAIL-}" ]; then
	maintainer="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"
	overrides=
else
	maintainer="$(id -un) <$(id -un)@$(hostname -f 2>/dev/null || hostname)>"
	overrides="# Built for the builder's own machines, by an account of one of them.
jl: bogus-mail-host *
jl: bogus-mail-host-in-debian-changelog *
jl: root-in-contact *"
fi
# The same sources give the same package.
: "${SOURCE_DATE_EPOCH:=$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debian"
fill() { # FILE: with what stands for @NAME@ put in
	awk -v maintainer="$maintainer" -v version="$version" -v date="$(date -u -R -d "@$SOURCE_DATE_EPOCH")" '
		{ gsub(/@MAINTAINER@/, maintainer); gsub(/@VERSION@/, version); gsub(/@DATE@/, date); print }' "$here/$1"
}
fill control >"$work/debian/control"
fill changelog >"$work/debian/changelog"

doc=$tree/usr/share/doc/jl
mkdir -p "$doc" "$tree/DEBIAN"
cp "$here/copyright" "$doc/copyright"
gzip -9nc "$work/debian/changelog" >"$doc/changelog.gz"
for agent in "$tree"/usr/libexec/jl/jl-agent*; do
	if [ -e "$agent" ]; then
		overrides="# It is carried to hosts that need not have any library.
jl: statically-linked-binary *libexec/jl/jl-agent*
jl: embedded-library zlib *libexec/jl/jl-agent*
$overrides"
		break
	fi
done
if [ -n "$overrides" ]; then
	mkdir -p "$tree/usr/share/lintian/overrides"
	printf '%s\n' "$overrides" >"$tree/usr/share/lintian/overrides/jl"
fi
# Debian keeps what packages bring for zsh apart from what the machine's owner puts there.
mv "$tree/usr/share/zsh/site-functions" "$tree/usr/share/zsh/vendor-completions"
find "$tree/usr/share/man" -type f -name '*.[1-8]' -exec gzip -9n {} +
find "$tree/usr/bin" "$tree/usr/libexec" -type f -exec strip --strip-unneeded --remove-section=.comment --remove-section=.note {} +

cd "$work"
find "$tree/usr/bin" "$tree/usr/libexec" -type f -exec dpkg-shlibdeps -Tdebian/substvars {} +
dpkg-gencontrol -pjl -Tdebian/substvars -P"$tree" -fdebian/files -O"$tree/DEBIAN/control" 2>/dev/null
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
dpkg-deb --root-owner-group --build "$tree" "$package"
