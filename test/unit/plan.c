/* The compiled plan's tables: packing and unpacking, and the check that lets no index out of its table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/plan.h"
#include "manifest/manifest.h"

enum { N_FILES = 3, N_RESULTS = 3, N_TEXT = 20 };

static const char *const argv_sh[] = {"bash", "-c", "echo \"a b\"", NULL};
static const char *const env_two[] = {"A=1", "B=", NULL};

static uint32_t add_spec(struct jl_plan *p, uint32_t n_shell)
{
	return jl_plan_add_spec(p, &(struct jl_spec){.workdir = "sub",
						     .argv = argv_sh,
						     .n_argv = 3,
						     .n_shell = n_shell,
						     .env = env_two,
						     .n_env = 2});
}

/* Two rules: a plain one whose command holds the number of jobs (two specs), and a foreach over a glob with two instances. */
static void make_plan(struct jl_plan *p)
{
	*p = (struct jl_plan)JL_PLAN_INIT;
	const uint32_t texts[] = {1, 2}, rules[] = {0};
	struct jl_plan_head *h = jl_table_add(&p->head, 1);
	h->format = JL_PLAN_FORMAT;
	h->algo = JL_DIGEST_XXH3;
	h->manifest = 5;
	h->env = jl_plan_add_refs(p, texts, 2);
	h->n_env = 2;
	struct jl_rule *r = jl_table_add(&p->rules, 2);
	r[0] = (struct jl_rule){
		.name = 1, .n = 1, .flags = JL_RULE_JOBS | JL_RULE_EXPANDED, .version = 3, .description = 4};
	r[1] = (struct jl_rule){.name = 2,
				.first = 1,
				.n = 2,
				.items_kind = JL_FOREACH_GLOB,
				.items_text = 7,
				.flags = JL_RULE_FOREACH | JL_RULE_EXPANDED};
	for (int i = 0; i < 2; i++) {
		r[i].tags = jl_plan_add_refs(p, texts, 2);
		r[i].makes = jl_plan_add_refs(p, texts, 1);
		r[i].pass_env = jl_plan_add_refs(p, texts, 1);
		r[i].keep = jl_plan_add_refs(p, texts, 1);
		r[i].n_tags = 2;
		r[i].n_makes = r[i].n_pass_env = r[i].n_keep = 1;
	}
	r[1].after = jl_plan_add_refs(p, rules, 1);
	r[1].waits = jl_plan_add_refs(p, rules, 1);
	r[1].n_after = r[1].n_waits = 1;
	struct jl_pport *port = jl_table_add(&p->ports, 5);
	port[0] = (struct jl_pport){.what = 1, .name = 9};
	port[1] = (struct jl_pport){.what = 19, .flags = JL_PORT_GLOB};
	port[2] = (struct jl_pport){.what = 2, .flags = JL_PORT_FOLDER};
	port[3] = (struct jl_pport){.what = 18, .flags = JL_PORT_EXCLUDE};
	port[4] = (struct jl_pport){.what = 0, .flags = JL_PORT_OPTIONAL};
	for (uint32_t i = 0; i < 3; i++) {
		struct jl_inst *t = jl_table_add(&p->insts, 1);
		*t = (struct jl_inst){
			.rule = i > 0, .label = 1 + i, .result = i, .item = i ? 8 + i : 0, .flags = JL_INST_READY};
		t->ins = i;
		t->n_ins = 2;
		t->outs = i + 2;
		t->n_outs = 1;
		t->waits = jl_plan_add_refs(p, rules, 1);
		t->n_waits = 1;
	}
	jl_plan_inst(p, 0)->spec = add_spec(p, 2);
	add_spec(p, 2); /* of the key */
	jl_plan_inst(p, 1)->spec = add_spec(p, 0);
	jl_plan_inst(p, 2)->spec = add_spec(p, 0);
}

static bool good(const struct jl_plan *p)
{
	return jl_plan_check(p, N_FILES, N_RESULTS, N_TEXT);
}

static void test_refs(void **state)
{
	(void)state;
	struct jl_plan p = JL_PLAN_INIT;
	assert_int_equal(jl_plan_add_refs(&p, NULL, 0), 0);
	assert_int_equal(p.refs.len, 0);
	assert_int_equal(jl_plan_add_refs(&p, (const uint32_t[]){7, 8}, 2), 0);
	assert_int_equal(jl_plan_add_refs(&p, (const uint32_t[]){9}, 1), 2);
	assert_int_equal(jl_plan_ref(&p, 1), 8);
	assert_int_equal(jl_plan_ref(&p, 2), 9);
	jl_plan_release(&p);
	assert_int_equal(p.refs.len, 0);
}

static void test_spec(void **state)
{
	(void)state;
	struct jl_plan p = JL_PLAN_INIT;
	struct jl_table room = JL_TABLE_INIT(char *);
	struct jl_spec s;
	/* An odd offset: unpacking must not need alignment. */
	uint32_t first = add_spec(&p, 2), second;
	second = jl_plan_add_spec(
		&p, &(struct jl_spec){.workdir = ".", .argv = (const char *const[]){"true", ""}, .n_argv = 2});
	jl_plan_spec(&p, first, &room, &s);
	assert_string_equal(s.workdir, "sub");
	assert_int_equal(s.n_argv, 3);
	assert_int_equal(s.n_shell, 2);
	for (int i = 0; i < 3; i++)
		assert_string_equal(s.argv[i], argv_sh[i]);
	assert_null(s.argv[3]);
	assert_int_equal(s.n_env, 2);
	assert_string_equal(s.env[0], "A=1");
	assert_string_equal(s.env[1], "B=");
	assert_null(s.env[2]);
	assert_int_equal(s.next, second);
	jl_plan_spec(&p, s.next, &room, &s);
	assert_string_equal(s.workdir, ".");
	assert_int_equal(s.n_argv, 2);
	assert_string_equal(s.argv[1], "");
	assert_null(s.argv[2]);
	assert_int_equal(s.n_env, 0);
	assert_int_equal(s.next, p.spec.len);
	jl_table_release(&room);
	jl_plan_release(&p);
}

static void test_check_accepts(void **state)
{
	(void)state;
	struct jl_plan p;
	make_plan(&p);
	assert_true(good(&p));
	/* Each table is measured by its own size. */
	assert_false(jl_plan_check(&p, 2, N_RESULTS, N_TEXT));
	assert_false(jl_plan_check(&p, N_FILES, 2, N_TEXT));
	assert_false(jl_plan_check(&p, N_FILES, N_RESULTS, 19));
	assert_false(jl_plan_check(&p, N_FILES, N_RESULTS, 0));
	jl_plan_head(&p)->format++;
	assert_false(good(&p));
	jl_plan_release(&p);
	p = (struct jl_plan)JL_PLAN_INIT;
	assert_false(good(&p));
}

static const uint32_t huge[] = {UINT32_MAX, UINT32_MAX - 1, 0x80000000u, 0x7fffffffu, 1000};

/* Every word of an element set to values beyond every table. `indices` names the ones that must be refused; the check must
 * survive the others whatever they hold. */
static void try_words(struct jl_plan *p, void *element, const size_t *indices, size_t n, size_t size)
{
	for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
		bool must = false;
		uint32_t *word = (uint32_t *)(void *)((char *)element + at), was = *word;
		for (size_t i = 0; i < n; i++)
			must |= indices[i] == at;
		for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
			*word = huge[i];
			bool ok = good(p);
			if (must && ok)
				fail_msg("%u at offset %zu is let through", huge[i], at);
		}
		*word = was;
		assert_true(good(p));
	}
}

#define R(field) offsetof(struct jl_rule, field)
#define T(field) offsetof(struct jl_inst, field)

static void test_check_refuses_indices(void **state)
{
	(void)state;
	struct jl_plan p;
	make_plan(&p);
	const size_t head[] = {offsetof(struct jl_plan_head, format), offsetof(struct jl_plan_head, env),
			       offsetof(struct jl_plan_head, n_env), offsetof(struct jl_plan_head, manifest),
			       offsetof(struct jl_plan_head, store_dir)};
	const size_t rule[] = {R(name),  R(description), R(tags),       R(n_tags),  R(after),    R(n_after),
			       R(waits), R(n_waits),     R(makes),      R(n_makes), R(pass_env), R(n_pass_env),
			       R(keep),  R(n_keep),      R(items_text), R(first),   R(n),        R(version)};
	const size_t inst[] = {T(rule), T(label),  T(result), T(item),    T(ins), T(n_ins),
			       T(outs), T(n_outs), T(waits),  T(n_waits), T(spec)};
	const size_t port[] = {offsetof(struct jl_pport, what), offsetof(struct jl_pport, name)};
#define TRY(element, indices, type)                                                                                    \
	try_words(&p, element, indices, sizeof(indices) / sizeof((indices)[0]), sizeof(type))
	TRY(jl_plan_head(&p), head, struct jl_plan_head);
	for (uint32_t i = 0; i < p.rules.len; i++)
		TRY(jl_plan_rule(&p, i), rule, struct jl_rule);
	for (uint32_t i = 0; i < p.insts.len; i++)
		TRY(jl_plan_inst(&p, i), inst, struct jl_inst);
	for (uint32_t i = 0; i < p.ports.len; i++)
		TRY(jl_plan_port(&p, i), port, struct jl_pport);
	for (uint32_t i = 0; i < p.refs.len; i++) {
		const size_t ref[] = {0};
		TRY(JL_AT(p.refs, uint32_t, i), ref, uint32_t);
	}
	jl_plan_release(&p);
}

/* The counts in a spec are as far-reaching as any index. */
static void test_check_refuses_specs(void **state)
{
	(void)state;
	struct jl_plan p;
	make_plan(&p);
	struct jl_table room = JL_TABLE_INIT(char *);
	struct jl_spec s;
	jl_plan_spec(&p, jl_plan_inst(&p, 0)->spec, &room, &s);
	const uint32_t at[] = {jl_plan_inst(&p, 0)->spec, s.next, jl_plan_inst(&p, 1)->spec, jl_plan_inst(&p, 2)->spec};
	for (size_t k = 0; k < 4; k++) {
		for (size_t word = 0; word < 3; word++) {
			for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
				char *bytes = (char *)p.spec.data + at[k] + word * sizeof(uint32_t),
				     was[sizeof(uint32_t)];
				memcpy(was, bytes, sizeof(was));
				memcpy(bytes, &huge[i], sizeof(was));
				assert_false(good(&p));
				memcpy(bytes, was, sizeof(was));
			}
		}
	}
	assert_true(good(&p));
	((char *)p.spec.data)[p.spec.len - 1] = 'x'; /* the last string does not end */
	assert_false(good(&p));
	((char *)p.spec.data)[p.spec.len - 1] = '\0';
	p.spec.len -= 4; /* ends in the middle of a string's bytes */
	assert_false(good(&p));
	jl_table_release(&room);
	jl_plan_release(&p);
}

/* Flags decide what else is read. */
static void test_check_flags(void **state)
{
	(void)state;
	struct jl_plan p;
	make_plan(&p);
	/* Without globs the command is made when the rule is expanded: nobody would make it later. */
	jl_plan_inst(&p, 1)->flags = 0;
	assert_false(good(&p));
	jl_plan_inst(&p, 1)->flags = JL_INST_GLOBS;
	jl_plan_inst(&p, 1)->spec = UINT32_MAX;
	assert_true(good(&p));
	jl_plan_inst(&p, 1)->flags = JL_INST_GLOBS | JL_INST_READY;
	assert_false(good(&p));
	jl_plan_release(&p);
	/* A rule whose commands hold the number of jobs has a second spec behind each: there is none behind the last. */
	make_plan(&p);
	jl_plan_rule(&p, 1)->flags |= JL_RULE_JOBS;
	assert_false(good(&p));
	jl_plan_release(&p);
	/* A position in a list is below the number of items. */
	make_plan(&p);
	jl_plan_rule(&p, 1)->items_kind = JL_FOREACH_LIST;
	assert_false(good(&p));
	jl_plan_inst(&p, 1)->item = 0;
	jl_plan_inst(&p, 2)->item = 1;
	assert_true(good(&p));
	jl_plan_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_check_accepts),
		cmocka_unit_test(test_check_refuses_indices),
		cmocka_unit_test(test_check_refuses_specs),
		cmocka_unit_test(test_check_flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
