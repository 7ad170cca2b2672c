/* The part of a document that yaml.c, yaml_text.c and place.c share. */
#ifndef JL_MANIFEST_YAML_DOC_H
#define JL_MANIFEST_YAML_DOC_H

#include "manifest/yaml.h"

struct jl_yaml_doc {
	const char *file;
	const char *text;
	size_t len;
	struct jl_messages *msgs;
	struct jl_yaml_parser *parser; /* private to yaml.c */
};

/* The whole text must be UTF-8 in characters that YAML allows; libyaml would stop at the same byte but says less. JL_EINVAL
 * and a message if it is not. */
int jl_yaml_check_text(const struct jl_yaml_doc *doc, bool *ret_ascii) JL_MUST_CHECK;

#endif
