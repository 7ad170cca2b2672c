/* What every kind of store must do: one suite, run over each of them. */
#ifndef TEST_STORE_CONFORM_H
#define TEST_STORE_CONFORM_H

#include "store/store.h"

/* `open_store(ctx)` gives a new and empty store, which the suite frees. Asserts by cmocka. */
void store_conform(struct jl_store *(*open_store)(void *ctx), void *ctx);

/* Helpers for tests of stores. A descriptor of an unnamed file under $TMPDIR, holding these bytes. */
int store_file(const void *data, size_t len);
/* Does the file hold exactly these bytes? */
bool store_file_is(int fd, const void *data, size_t len);

#endif
