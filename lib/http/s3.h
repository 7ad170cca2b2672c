/* Where the objects of an s3:// URL are:
 *
 *     s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|host]
 *
 * The endpoint else comes from $AWS_ENDPOINT_URL, or is Amazon's; the region from $AWS_REGION, $AWS_DEFAULT_REGION, or is
 * us-east-1. With an endpoint the bucket is part of the path, else of the host. */
#ifndef JL_HTTP_S3_H
#define JL_HTTP_S3_H

#include "base/err.h"

struct jl_s3 {
	char *base; /* the URL below which object names are */
	char *sign; /* as libcurl wants it: "aws:amz:REGION:s3" */
};

/* JL_EINVAL: the URL is none of a bucket. */
int jl_s3_open(const char *url, struct jl_s3 *ret, struct jl_err *err) JL_MUST_CHECK;
void jl_s3_release(struct jl_s3 *s);

#endif
