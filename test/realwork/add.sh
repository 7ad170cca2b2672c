#!/bin/sh
# add.sh NAME OUT FOLDER: the sum of each file of the folder. Every seventh name fails on the first try.
n=${1#n}
if [ $((1$n % 7)) = 0 ] && mkdir "$MARKS/$1" 2>/dev/null; then
	echo half >"$2"
	exit 1
fi
for part in "$3"/*; do
	s=0
	while read -r i; do s=$((s + i)); done <"$part"
	echo "${part##*/} $s"
done >"$2"
