/* See needs.h. */
#include "run/needs.h"

#include "run/elsewhere.h"

#include <stdlib.h>
#include <string.h>

#define PARKED_MOST 512u /* with hosts: more are not decided ahead */
#define LOOK_NS    (200 * JL_NS_MS) /* how old what is known of the machine may be */
#define OF_MEMORY  UINT64_C(1)
#define OF_POOL(i) (UINT64_C(2) << (i))
#define OF_PLACE   (UINT64_C(1) << 63) /* on a host, or to be held; JL_PLAN_POOLS_MAX leaves it free */

struct parked {
	uint32_t inst, node;
	uint64_t lacked; /* bits: what it ever lacked */
	bool check;      /* of its result; that runs here */
};

void jl_needs_init(struct jl_engine *e)
{
	e->needs.parked = (struct jl_table)JL_TABLE_INIT(struct parked);
	e->needs.turn = JL_NONE;
	e->needs.used = jl_calloc(jl_plan_head(&e->p->plan)->n_pools + 1, sizeof(*e->needs.used));
}

void jl_needs_release(struct jl_engine *e)
{
	jl_table_release(&e->needs.parked);
	free(e->needs.used);
}

uint32_t jl_needs_cpus(const struct jl_engine *e, const struct jl_rule *r)
{
	return r->cpus == 0 ? 1 : r->cpus < e->n_here ? r->cpus : e->n_here;
}

bool jl_needs_far(const struct jl_engine *e, uint32_t inst)
{
	return e->elsewhere.exec && jl_elsewhere_of(e, inst)[0];
}

static uint64_t memory_total(struct jl_engine *e)
{
	if (e->needs.memory_total == 0)
		e->needs.memory_total = e->machine->memory_total(e->machine);
	return e->needs.memory_total;
}

static bool lacks_memory(struct jl_engine *e, const struct jl_rule *r)
{
	if (r->memory == 0 || e->needs.memory == 0)
		return false; /* one that wants more than there is runs alone */
	return r->memory > memory_total(e) || e->needs.memory > memory_total(e) - r->memory;
}

/* Bits of what it lacks now. */
static uint64_t lacks(struct jl_engine *e, uint32_t inst)
{
	const struct jl_plan *plan = &e->p->plan;
	const struct jl_rule *r = jl_engine_rule(e, inst);
	uint64_t bits = !jl_needs_far(e, inst) && lacks_memory(e, r) ? OF_MEMORY : 0;
	for (uint32_t i = 0; i < r->n_takes; i++) {
		uint32_t pool = jl_plan_ref(plan, r->takes + 2 * i), want = jl_plan_ref(plan, r->takes + 2 * i + 1);
		uint32_t size = jl_plan_ref(plan, jl_plan_head(plan)->pools + pool);
		if (want > size || e->needs.used[pool] > size - want)
			bits |= OF_POOL(pool);
	}
	return bits;
}

/* Bits of what it needs at all. */
static uint64_t wants(const struct jl_engine *e, uint32_t inst)
{
	const struct jl_rule *r = jl_engine_rule(e, inst);
	uint64_t bits = r->memory && !jl_needs_far(e, inst) ? OF_MEMORY : 0;
	for (uint32_t i = 0; i < r->n_takes; i++)
		bits |= OF_POOL(jl_plan_ref(&e->p->plan, r->takes + 2 * i));
	return bits;
}

/* Is another held already that will run there? */
static bool lane_is_full(const struct jl_engine *e, bool far)
{
	return e->slots.lanes && e->slots.held[far];
}

bool jl_needs_park_check(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	if (!lane_is_full(e, false))
		return false;
	*(struct parked *)jl_table_add(&e->needs.parked, 1) = (struct parked){.inst = inst, .node = node, .check = true};
	return true;
}

bool jl_needs_park(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	uint64_t lacked = wants(e, inst), waited_for = 0;
	if (node == e->needs.turn && !lane_is_full(e, jl_needs_far(e, inst)))
		return false;
	uint64_t place = !lane_is_full(e, jl_needs_far(e, inst)) && jl_elsewhere_room(e, inst) ? 0 : OF_PLACE;
	if (lacked == 0 && !place)
		return false;
	for (uint32_t i = 0; i < e->needs.parked.len; i++)
		waited_for |= JL_AT(e->needs.parked, struct parked, i)->lacked;
	lacked = lacks(e, inst) | (lacked & waited_for) | place;
	if (lacked)
		*(struct parked *)jl_table_add(&e->needs.parked, 1) =
			(struct parked){.inst = inst, .node = node, .lacked = lacked & ~OF_PLACE};
	return lacked != 0;
}

/* Those of a rule run in the same place; so `no_room` is the one that was last seen to have none. */
static bool has_place(struct jl_engine *e, const struct parked *p, bool far, uint32_t *no_room)
{
	uint32_t rule = jl_engine_inst(e, p->inst)->rule;
	if (!far)
		return true;
	if (rule == *no_room)
		return false;
	if (jl_elsewhere_room(e, p->inst))
		return true;
	if (!jl_elsewhere_picky(e, p->inst))
		*no_room = rule;
	return false;
}

static uint8_t held_lanes(const struct jl_engine *e)
{
	return (uint8_t)((e->slots.held[0] ? 1 : 0) | (e->slots.held[1] ? 2 : 0));
}

static bool may_run(struct jl_engine *e, struct parked *p, uint64_t waited_for, uint32_t *no_room)
{
	const bool far = !p->check && jl_needs_far(e, p->inst);
	if (lane_is_full(e, far))
		return false;
	if (p->check)
		return true;
	uint64_t now = lacks(e, p->inst);
	p->lacked |= now;
	return !now && !(wants(e, p->inst) & waited_for) && has_place(e, p, far, no_room);
}

bool jl_needs_unpark(struct jl_engine *e, bool all, uint32_t *ret_node)
{
	struct jl_table *t = &e->needs.parked;
	uint64_t waited_for = 0;
	uint32_t no_room = JL_NONE;
	if (t->len == 0 || (e->needs.stuck && e->needs.stuck_lanes == held_lanes(e) && !all))
		return false;
	for (uint32_t i = 0; i < t->len; i++) {
		struct parked *p = JL_AT(*t, struct parked, i);
		if (all || may_run(e, p, waited_for, &no_room)) {
			*ret_node = e->needs.turn = p->node;
			memmove(p, p + 1, (t->len - i - 1) * sizeof(*p));
			t->len--;
			return true;
		}
		waited_for |= p->lacked;
	}
	e->needs.stuck = true; /* until something is given back, or started */
	e->needs.stuck_lanes = held_lanes(e);
	return false;
}

bool jl_needs_wait(const struct jl_engine *e)
{
	return e->elsewhere.exec && e->needs.parked.len > 0;
}

bool jl_needs_full(const struct jl_engine *e)
{
	return e->elsewhere.exec && e->needs.parked.len >= PARKED_MOST;
}

/* --load, --memfree. */
static bool has_room(struct jl_engine *e)
{
	const struct jl_run_opts *o = e->opts;
	int64_t now = e->clock->now_ns(e->clock);
	if (o->max_load <= 0 && o->min_memory == 0)
		return true;
	if (e->needs.looked_ns == 0 || now - e->needs.looked_ns >= LOOK_NS) {
		e->needs.looked_ns = now;
		e->needs.room = (o->max_load <= 0 || e->machine->load(e->machine) < o->max_load) &&
				(o->min_memory == 0 || e->machine->memory_free(e->machine) >= o->min_memory);
	}
	return e->needs.room;
}

bool jl_needs_met(void *owner, struct jl_slot_job *job)
{
	struct jl_engine *e = owner;
	uint32_t inst = ((struct jl_running *)job)->inst;
	const struct jl_rule *r = jl_engine_rule(e, inst);
	if (e->needs.alone || (r->flags & JL_RULE_INTERACTIVE && !((struct jl_running *)job)->checking))
		return false; /* asked while another runs */
	if (jl_elsewhere_is(e, (struct jl_running *)job))
		return lacks(e, inst) == 0;
	return e->needs.cpus + jl_needs_cpus(e, r) <= e->n_here && lacks(e, inst) == 0 && has_room(e);
}

static void count(struct jl_engine *e, struct jl_running *r, bool taken)
{
	const struct jl_plan *plan = &e->p->plan;
	const struct jl_rule *rule = jl_engine_rule(e, r->inst);
	if (r->takes == taken)
		return;
	r->takes = taken;
	e->needs.stuck &= taken;
	if (rule->flags & JL_RULE_INTERACTIVE)
		e->needs.alone = taken;
	if (!jl_elsewhere_is(e, r)) {
		e->needs.cpus = taken ? e->needs.cpus + jl_needs_cpus(e, rule) : e->needs.cpus - jl_needs_cpus(e, rule);
		e->needs.memory = taken ? e->needs.memory + rule->memory : e->needs.memory - rule->memory;
	}
	for (uint32_t i = 0; i < rule->n_takes; i++) {
		uint32_t pool = jl_plan_ref(plan, rule->takes + 2 * i), n = jl_plan_ref(plan, rule->takes + 2 * i + 1);
		e->needs.used[pool] = taken ? e->needs.used[pool] + n : e->needs.used[pool] - n;
	}
}

void jl_needs_take(struct jl_engine *e, struct jl_running *r)
{
	count(e, r, true);
	e->needs.looked_ns = 0; /* what just started is not in what was seen */
}

void jl_needs_give(struct jl_engine *e, struct jl_running *r)
{
	count(e, r, false);
}
