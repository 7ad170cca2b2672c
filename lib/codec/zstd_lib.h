/* zstd itself, for the files of this folder that use it. */
#ifndef JL_CODEC_ZSTD_LIB_H
#define JL_CODEC_ZSTD_LIB_H

#include <zstd.h>

#endif
