/* zlib itself, for the files of this folder that use it. */
#ifndef JL_CODEC_ZLIB_LIB_H
#define JL_CODEC_ZLIB_LIB_H

#include <zlib.h>

#endif
