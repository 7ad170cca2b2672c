/* The common front of every kind of store. */
#include "store/kind.h"

#include <stdarg.h>
#include <stdio.h>

void jl_store_warn(struct jl_store *s, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	if (!s->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(*s->warn)(s->warn_ctx, text);
}

void jl_store_free(struct jl_store *s)
{
	if (s)
		s->ops->free(s);
}
