# A short form of `make soak`: everything at once on one small store.
load helper

@test "S01 S02 S04 S10 S11 kills, damage, eviction and gc at once: no wrong byte, nothing to mend" {
	[[ -z ${JL_SAN-} ]] || skip 'too slow with a sanitizer'
	run bash "$JL_SOURCE/test/soak/soak.sh" "$JL_BUILD/jl" 1 20
	assert_success
}
