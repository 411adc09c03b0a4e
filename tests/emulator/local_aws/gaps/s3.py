"""S3: the answers' root elements. moto names every root after the operation; S3 has names of its own, and clients
that parse strictly (the Rust SDK) want them."""

from typing import Any

from moto.core.serialize import BaseRestSerializer

from .patching import wrap

ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


@wrap(BaseRestSerializer, "_serialized_result_to_response")
def s3_root(original: Any, self: Any, resp: Any, *args: Any) -> Any:
    answer = original(self, resp, *args)
    model = self.operation_model
    if model.service_model.service_name == "s3" and model.name in ROOTS:
        wrong, right = f"{model.name}Response", ROOTS[model.name]
        body = answer["body"]
        if isinstance(body, bytes):
            answer["body"] = body.replace(wrong.encode(), right.encode())
        elif isinstance(body, str):
            answer["body"] = body.replace(wrong, right)
    return answer
