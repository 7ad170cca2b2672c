/* Clocks, and durations and sizes as text. */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	jl_bug_if(clock_gettime(id, &ts) < 0);
	return (int64_t)ts.tv_sec * JL_NS_S + ts.tv_nsec;
}

static int64_t system_now_ns(const struct jl_clock *c)
{
	(void)c;
	return read_clock(CLOCK_MONOTONIC);
}

const struct jl_clock jl_clock_system = {.now_ns = system_now_ns};

int64_t jl_clock_real_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t jl_clock_coarse_ns(void)
{
	return read_clock(CLOCK_REALTIME_COARSE);
}

/* Cut, not rounded: "60.0s" or "1000ms" cannot come out. */
int jl_clock_show(struct jl_buf *out, int64_t duration_ns)
{
	const char *sign = duration_ns < 0 ? "-" : "";
	unsigned long long ns = duration_ns < 0 ? -(unsigned long long)duration_ns : (unsigned long long)duration_ns;
	unsigned long long s = ns / JL_NS_S;

	if (ns < 10 * JL_NS_MS && ns % JL_NS_MS)
		return jl_buf_printf(out, "%s%llu.%llums", sign, ns / JL_NS_MS, ns / 100000 % 10);
	if (ns < JL_NS_S)
		return jl_buf_printf(out, "%s%llums", sign, ns / JL_NS_MS);
	if (s < 10)
		return jl_buf_printf(out, "%s%llu.%02llus", sign, s, ns / 10000000 % 100);
	if (s < 60)
		return jl_buf_printf(out, "%s%llu.%llus", sign, s, ns / 100000000 % 10);
	if (s < 3600)
		return jl_buf_printf(out, "%s%llum%02llus", sign, s / 60, s % 60);
	if (s < 86400)
		return jl_buf_printf(out, "%s%lluh%02llum", sign, s / 3600, s / 60 % 60);
	return jl_buf_printf(out, "%s%llud%02lluh", sign, s / 86400, s / 3600 % 24);
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Read DIGITS [ "." DIGITS ]: the whole part, and the fraction in billionths (further digits are dropped). Gives what
 * follows, NULL if there is no number or it is too large. */
static const char *read_number(const char *s, uint64_t *ret_whole, uint64_t *ret_billionths)
{
	uint64_t whole = 0, part = 0, scale = 100000000;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return NULL;
	}
	if (*s == '.') {
		s++;
		if (*s < '0' || *s > '9')
			return NULL;
		for (; *s >= '0' && *s <= '9'; s++, scale /= 10)
			part += (uint64_t)(*s - '0') * scale;
	}
	*ret_whole = whole;
	*ret_billionths = part;
	return s;
}

/* whole.part * factor; false on overflow. */
static bool scale_up(uint64_t whole, uint64_t billionths, uint64_t factor, uint64_t *ret)
{
	uint64_t v;

	if (__builtin_mul_overflow(whole, factor, &v))
		return false;
	return !__builtin_add_overflow(v, (uint64_t)((unsigned __int128)factor * billionths / 1000000000), ret);
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++) {
		if (strcmp(units->name, name) == 0)
			return units;
	}
	return NULL;
}

int jl_clock_parse(const char *text, int64_t *ret_ns, struct jl_err *err)
{
	static const struct unit units[] = {
		{"", 1000000000},
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", UINT64_C(60) * 1000000000},
		{"h", UINT64_C(3600) * 1000000000},
		{"d", UINT64_C(86400) * 1000000000},
		{NULL, 0},
	};
	uint64_t whole, part, v;
	const char *rest = read_number(text, &whole, &part);
	const struct unit *u = rest ? find_unit(units, rest) : NULL;

	if (!u)
		return jl_err_set(err, JL_EINVAL,
				  "\"%s\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
				  text);
	if (!scale_up(whole, part, u->factor, &v) || v >= INT64_MAX)
		return jl_err_set(err, JL_EINVAL, "the duration \"%s\" is too long: at most 106751d", text);
	*ret_ns = (int64_t)v;
	return JL_OK;
}

int jl_size_parse(const char *text, uint64_t *ret_bytes, struct jl_err *err)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"kB", 1000},
		{"KB", 1000},
		{"MB", 1000000},
		{"GB", 1000000000},
		{"TB", UINT64_C(1000000000000)},
		{"PB", UINT64_C(1000000000000000)},
		{"KiB", UINT64_C(1) << 10},
		{"MiB", UINT64_C(1) << 20},
		{"GiB", UINT64_C(1) << 30},
		{"TiB", UINT64_C(1) << 40},
		{"PiB", UINT64_C(1) << 50},
		{NULL, 0},
	};
	static const char powers[] = "KMGTP";
	uint64_t whole, part, v;
	const char *rest = read_number(text, &whole, &part);
	const struct unit *u = rest ? find_unit(units, rest) : NULL;

	if (rest && *rest && rest[1] == '\0' && strchr(powers, *rest)) {
		int power = (int)(strchr(powers, *rest) - powers) + 1;

		return jl_err_set(err, JL_EINVAL, "the size \"%s\" has two meanings: write %sB (10^%d) or %siB (2^%d)",
				  text, text, 3 * power, text, 10 * power);
	}
	if (!u)
		return jl_err_set(err, JL_EINVAL,
				  "\"%s\" is not a size: write a number of bytes, or one with KB, MB, GB (10^9) or "
				  "KiB, MiB, GiB (2^30)",
				  text);
	if (!scale_up(whole, part, u->factor, &v))
		return jl_err_set(err, JL_EINVAL, "the size \"%s\" is too large", text);
	*ret_bytes = v;
	return JL_OK;
}
