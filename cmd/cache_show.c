/* jl cache stats, jl cache ls. */
#include "cache.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "memo/variants.h"
#include "run/event.h"
#include "store/traffic.h"
#include "store/uses.h"

#include <string.h>
#include <time.h>

#define SHOWN_DAYS 7u

void jl_cache_size(struct jl_buf *out, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)bytes;
	size_t u = 0;

	for (; n >= 1024 && u + 1 < sizeof(units) / sizeof(*units); u++)
		n /= 1024;
	jl_buf_printf(out, u ? "%.1f %s" : "%.0f %s", n, units[u]);
}

/* --- stats ------------------------------------------------------------------------------------------------------- */

static void add_logical(void *ctx, const struct jl_care_entry *e)
{
	uint64_t *bytes = ctx;
	struct jl_record *r = NULL;

	if (jl_record_decode(e->record, e->len, &r, NULL) != JL_OK)
		return;
	for (uint32_t i = 0; i < r->n_outputs; i++)
		*bytes += r->outputs[i].content.size;
	*bytes += r->log.size;
	jl_record_free(r);
}

static void day_text(uint32_t day, char out[16])
{
	time_t t = (time_t)day * 24 * 3600;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 16, "%Y-%m-%d", &tm);
}

struct stats {
	struct jl_care_sums sums;
	uint64_t logical, disk, hits, saved_ms;
	struct jl_table days;
	struct jl_table remotes;
};

static void json_remotes(struct jl_json *j, const struct stats *st)
{
	jl_json_key(j, "remotes");
	jl_json_begin(j, '[');
	for (uint32_t i = 0; i < st->remotes.len; i++) {
		const struct jl_traffic *t = JL_AT(st->remotes, struct jl_traffic, i);

		jl_json_begin(j, '{');
		jl_json_put_str(j, "remote", t->name);
		jl_json_put_int(j, "hits", (int64_t)t->hits);
		jl_json_put_int(j, "misses", (int64_t)t->misses);
		jl_json_put_int(j, "refused", (int64_t)t->refused);
		jl_json_put_int(j, "no_answer", (int64_t)t->failed);
		jl_json_put_int(j, "sent", (int64_t)t->sent);
		jl_json_put_int(j, "unsent", (int64_t)t->unsent);
		jl_json_put_int(j, "bytes_in", (int64_t)t->bytes_in);
		jl_json_put_int(j, "bytes_out", (int64_t)t->bytes_out);
		jl_json_put_num(j, "waited_s", (double)t->waited_ms / 1000);
		jl_json_end(j, '}');
	}
	jl_json_end(j, ']');
}

static void text_remotes(struct jl_buf *out, const struct stats *st)
{
	for (uint32_t i = 0; i < st->remotes.len; i++) {
		const struct jl_traffic *t = JL_AT(st->remotes, struct jl_traffic, i);
		const struct jl_remote_counts c = {.name = t->name,
						   .hits = t->hits,
						   .misses = t->misses,
						   .refused = t->refused,
						   .failed = t->failed,
						   .sent = t->sent,
						   .unsent = t->unsent,
						   .bytes_in = t->bytes_in,
						   .bytes_out = t->bytes_out,
						   .waited_ns = (int64_t)t->waited_ms * JL_NS_MS};

		jl_buf_str(out, "remote   ");
		jl_remote_counts_show(out, &c);
		jl_buf_char(out, '\n');
	}
}

static void print_json(const struct jl_cache *c, const struct stats *st, struct jl_buf *out)
{
	struct jl_json j = {.out = out};
	char day[16];

	jl_json_begin(&j, '{');
	jl_json_key(&j, "store");
	jl_json_str(&j, jl_lookup_store_dir(&c->lookup));
	jl_json_key(&j, "entries");
	jl_json_int(&j, (int64_t)st->sums.records);
	jl_json_key(&j, "blobs");
	jl_json_int(&j, (int64_t)st->sums.blobs);
	jl_json_key(&j, "logical_bytes");
	jl_json_int(&j, (int64_t)st->logical);
	jl_json_key(&j, "disk_bytes");
	jl_json_int(&j, (int64_t)st->disk);
	jl_json_key(&j, "index_bytes");
	jl_json_int(&j, (int64_t)st->sums.index_bytes);
	jl_json_key(&j, "max_bytes");
	jl_json_int(&j, (int64_t)c->rules.max_size);
	jl_json_key(&j, "hits");
	jl_json_int(&j, (int64_t)st->hits);
	jl_json_key(&j, "saved_s");
	jl_json_num(&j, (double)st->saved_ms / 1000);
	jl_json_key(&j, "days");
	jl_json_begin(&j, '[');
	for (uint32_t i = 0; i < st->days.len; i++) {
		const struct jl_day *d = JL_AT(st->days, struct jl_day, i);

		day_text(d->day, day);
		jl_json_begin(&j, '{');
		jl_json_key(&j, "day");
		jl_json_str(&j, day);
		jl_json_key(&j, "hits");
		jl_json_int(&j, d->hits);
		jl_json_key(&j, "runs");
		jl_json_int(&j, d->runs);
		jl_json_key(&j, "saved_s");
		jl_json_num(&j, (double)d->saved_ms / 1000);
		jl_json_end(&j, '}');
	}
	jl_json_end(&j, ']');
	json_remotes(&j, st);
	jl_json_end(&j, '}');
	jl_buf_char(out, '\n');
}

static void print_text(const struct jl_cache *c, const struct stats *st, struct jl_buf *out)
{
	char day[16];

	jl_buf_str(out, "store    ");
	jl_path_show(out, jl_lookup_store_dir(&c->lookup), strlen(jl_lookup_store_dir(&c->lookup)));
	jl_buf_printf(out, "\nentries  %llu results, %llu blobs\nlogical  ", (unsigned long long)st->sums.records,
	              (unsigned long long)st->sums.blobs);
	jl_cache_size(out, st->logical);
	jl_buf_str(out, "\non disk  ");
	jl_cache_size(out, st->disk);
	if (c->rules.max_size) {
		jl_buf_str(out, " of ");
		jl_cache_size(out, c->rules.max_size);
	}
	jl_buf_printf(out, "\nhits     %llu, saved ", (unsigned long long)st->hits);
	jl_clock_show(out, (int64_t)st->saved_ms * JL_NS_MS);
	jl_buf_char(out, '\n');
	for (uint32_t i = st->days.len > SHOWN_DAYS ? st->days.len - SHOWN_DAYS : 0; i < st->days.len; i++) {
		const struct jl_day *d = JL_AT(st->days, struct jl_day, i);

		day_text(d->day, day);
		jl_buf_printf(out, "  %s  %u hits, %u run, saved ", day, d->hits, d->runs);
		jl_clock_show(out, (int64_t)d->saved_ms * JL_NS_MS);
		jl_buf_char(out, '\n');
	}
	text_remotes(out, st);
}

int jl_cache_stats(struct jl_cache *c, struct jl_err *err)
{
	struct stats st = {.days = JL_TABLE_INIT(struct jl_day), .remotes = JL_TABLE_INIT(struct jl_traffic)};
	struct jl_buf out = JL_BUF_INIT;
	int r = jl_care_sums(c->store, &st.sums, err);

	if (r == JL_OK)
		r = jl_care_each(c->store, add_logical, &st.logical, err);
	if (r == JL_OK)
		r = jl_care_days(c->store, &st.days, err);
	if (r == JL_OK)
		r = jl_traffic_sums(&jl_io_system, jl_lookup_store_dir(&c->lookup), &st.remotes, err);
	for (uint32_t i = 0; i < st.days.len; i++) {
		st.hits += JL_AT(st.days, struct jl_day, i)->hits;
		st.saved_ms += JL_AT(st.days, struct jl_day, i)->saved_ms;
	}
	st.disk = st.sums.record_bytes + st.sums.blob_bytes + st.sums.other_bytes;
	if (r == JL_OK && c->s->cache_care.json)
		print_json(c, &st, &out);
	else if (r == JL_OK)
		print_text(c, &st, &out);
	jl_table_release(&st.days);
	jl_table_release(&st.remotes);
	if (r == JL_OK)
		return jl_print_buf(&out);
	jl_buf_release(&out);
	return jl_say_error(err);
}

/* --- ls ---------------------------------------------------------------------------------------------------------- */

struct listing {
	struct jl_buf out;
	struct jl_json json;
	bool as_json;
};

static void list_json(struct listing *l, const struct jl_care_entry *e, const char *key, const struct jl_record *r)
{
	struct jl_json *j = &l->json;

	jl_json_begin(j, '{');
	jl_json_key(j, "key");
	jl_json_str(j, key);
	jl_json_key(j, "step");
	jl_json_str(j, r ? r->label : "");
	jl_json_key(j, "bytes");
	jl_json_int(j, (int64_t)e->bytes);
	jl_json_key(j, "created");
	jl_json_num(j, r ? (double)r->created_ns / 1e9 : 0);
	jl_json_key(j, "used");
	jl_json_num(j, (double)e->used_ns / 1e9);
	jl_json_key(j, "pinned");
	jl_json_bool(j, e->pinned);
	jl_json_end(j, '}');
}

static void list_entry(void *ctx, const struct jl_care_entry *e)
{
	const int64_t now_ns = jl_clock_real_ns();
	struct listing *l = ctx;
	struct jl_record *r = NULL;
	char key[JL_DIGEST_TEXT];
	struct jl_buf cell = JL_BUF_INIT;
	const char *label = jl_variants_is(e->record, e->len) ? "(variants)" : "(damaged)";

	if (jl_record_decode(e->record, e->len, &r, NULL) == JL_OK)
		label = r->label;
	else
		r = NULL;
	jl_digest_hex(&e->key, key);
	if (l->as_json) {
		list_json(l, e, key, r);
	} else {
		jl_cache_size(&cell, e->bytes);
		jl_buf_printf(&l->out, "%.32s  %10s  ", key, cell.data);
		jl_buf_clear(&cell);
		jl_clock_show(&cell, r && now_ns > r->created_ns ? now_ns - r->created_ns : 0);
		jl_buf_printf(&l->out, "%8s old  ", cell.data);
		jl_buf_clear(&cell);
		jl_clock_show(&cell, now_ns > e->used_ns ? now_ns - e->used_ns : 0);
		jl_buf_printf(&l->out, "used %8s ago  %s", cell.data, e->pinned ? "pinned " : "");
		jl_path_show(&l->out, label, strlen(label));
		jl_buf_char(&l->out, '\n');
	}
	jl_buf_release(&cell);
	jl_record_free(r);
}

int jl_cache_ls(struct jl_cache *c, struct jl_err *err)
{
	struct listing l = {.out = JL_BUF_INIT, .as_json = c->s->cache_care.json};
	int r;

	l.json.out = &l.out;
	if (l.as_json)
		jl_json_begin(&l.json, '[');
	r = jl_care_each(c->store, list_entry, &l, err);
	if (l.as_json) {
		jl_json_end(&l.json, ']');
		jl_buf_char(&l.out, '\n');
	}
	if (r == JL_OK)
		return jl_print_buf(&l.out);
	jl_buf_release(&l.out);
	return jl_say_error(err);
}
