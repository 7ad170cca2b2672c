/* The part of a document that yaml.c and place.c share. */
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

#endif
