#!/bin/bash
# rclone's settings: a remote on this disk, and one for an S3 store when that is given. Nothing runs.
#
#     rclone.sh start FOLDER [URL BUCKET KEY SECRET]
#     rclone.sh stop FOLDER
#
# Prints RCLONE_CONFIG (rclone reads that variable), RCLONE_REMOTE, RCLONE_FOLDER, and RCLONE_S3 if there is one.
# shellcheck source=test/servers/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

start() { # [URL bucket key secret]
	mkdir -p "$dir/data"
	cat >"$dir/rclone.conf" <<-CONFIG
		[disk]
		type = alias
		remote = $dir/data
	CONFIG
	if (($#)); then
		cat >>"$dir/rclone.conf" <<-CONFIG
			[s3]
			type = s3
			provider = Other
			endpoint = $1
			access_key_id = $3
			secret_access_key = $4
			region = us-east-1
			no_check_bucket = true
		CONFIG
		echo "RCLONE_S3=s3:$2"
	fi
	RCLONE_CONFIG=$dir/rclone.conf rclone lsf disk: >"$dir/log" 2>&1 || die "$(cat "$dir/log")"
	printf '%s\n' "RCLONE_CONFIG='$dir/rclone.conf'" RCLONE_REMOTE=disk: "RCLONE_FOLDER='$dir/data'"
}

dir=$(folder "${2-}") || exit 1
case $1 in
start) start "${@:3}" ;;
stop) ;;
*) die 'start FOLDER or stop FOLDER' ;;
esac
