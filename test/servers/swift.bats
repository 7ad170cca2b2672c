load ../bats/helper
load helper

# One store for all tests, with a name of its own for each.
setup_file() {
	swift_start
	export S3_URL S3_HOST S3_REGION S3_BUCKET S3_KEY S3_SECRET S3_READER S3_READER_SECRET S3_OTHER S3_OTHER_SECRET
}
teardown_file() { servers_stop; }
setup() {
	jl_setup
	echo "content of $BATS_TEST_NAME" >sent
	DIGEST=$(sha256sum sent | cut -c 1-64)
	NAME=${BATS_TEST_NUMBER}-object
}

# A signed request: s3 KEY SECRET [OPTIONS]; the URL in $at. A colon in a key must not end it.
s3() {
	run curl -sS --noproxy '*' --aws-sigv4 "aws:amz:$S3_REGION:s3" -o got -w '%{http_code}' "${@:3}" \
		"${at/\/\////${1/:/%3A}:$2@}"
}

@test "swift: PUT and GET with signatures, by path and by host name" {
	at=$S3_URL/$S3_BUCKET/$NAME
	s3 "$S3_KEY" "$S3_SECRET" -T sent -H "x-amz-content-sha256: $DIGEST"
	assert_output 200
	s3 "$S3_KEY" "$S3_SECRET" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
	assert_output 200
	cmp sent got
	at=http://$S3_BUCKET.$S3_HOST/$NAME
	s3 "$S3_KEY" "$S3_SECRET" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
	assert_output 200
	cmp sent got
}

@test "swift: a wrong secret, a wrong digest, none at all" {
	at=$S3_URL/$S3_BUCKET/$NAME
	s3 "$S3_KEY" wrong -T sent -H "x-amz-content-sha256: $DIGEST"
	assert_output 403
	grep -q SignatureDoesNotMatch got
	s3 "$S3_KEY" "$S3_SECRET" -T sent -H "x-amz-content-sha256: ${DIGEST//[0-9]/0}"
	assert_output 400
	run curl -sS --noproxy '*' -o got -w '%{http_code}' "$at"
	assert_output --regexp '^4'
	s3 "$S3_KEY" "$S3_SECRET" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
	assert_output 404
}

@test "swift: one may write, one read, one neither" {
	at=$S3_URL/$S3_BUCKET/$NAME
	s3 "$S3_READER" "$S3_READER_SECRET" -T sent -H "x-amz-content-sha256: $DIGEST"
	assert_output 403
	s3 "$S3_KEY" "$S3_SECRET" -T sent -H "x-amz-content-sha256: $DIGEST"
	assert_output 200
	s3 "$S3_READER" "$S3_READER_SECRET" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
	assert_output 200
	cmp sent got
	s3 "$S3_OTHER" "$S3_OTHER_SECRET" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
	assert_output 404
}

@test "rclone: a remote on disk and one in the store; a wrong secret" {
	rclone_start
	rclone copyto sent "$RCLONE_REMOTE/a/b"
	cmp sent "$RCLONE_FOLDER/a/b"
	rclone copyto sent "$RCLONE_S3/$NAME"
	rclone cat "$RCLONE_S3/$NAME" >got
	cmp sent got
	sed -i 's/^secret_access_key.*/secret_access_key = wrong/' "$RCLONE_CONFIG"
	run rclone cat "$RCLONE_S3/$NAME"
	assert_failure
	assert_output --regexp '403|SignatureDoesNotMatch|Forbidden'
}

@test "swift: parts put together" {
	head -c 6000000 /dev/urandom >sent
	rclone_start
	rclone copyto --s3-upload-cutoff 5M --s3-chunk-size 5M sent "$RCLONE_S3/$NAME"
	rclone cat "$RCLONE_S3/$NAME" | cmp - sent
}
