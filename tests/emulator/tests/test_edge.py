"""CloudFront's edge: who may read, what is kept, and what an invalidation forgets; bucket policies; checksums."""

import base64
import hashlib
import json
import urllib.error
import urllib.request

import pytest
from conftest import running
from network import unique
from test_rules_edge import distribution


@pytest.fixture(scope="module")
def server():
    with running("--control-plane-only", "--no-waits") as server:
        yield server


def get(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def front(server):
    """A bucket with a distribution in front of it; the bucket, and the distribution's ARN and id."""
    s3, cloudfront = server.client("s3"), server.client("cloudfront")
    bucket = unique("assets")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": unique("oac"),
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )
    config = distribution()
    origin = config["Origins"]["Items"][0]
    origin["DomainName"] = f"{bucket}.s3.eu-west-1.amazonaws.com"
    origin["OriginAccessControlId"] = control["OriginAccessControl"]["Id"]
    made = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
    return bucket, made["ARN"], made["Id"]


def policy(bucket, arn):
    everything = f"arn:aws:s3:::{bucket}/*"
    reads = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": everything,
        "Condition": {"StringEquals": {"AWS:SourceArn": arn}},
    }
    over_tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [reads, over_tls]})


def test_only_the_distribution_of_the_policy_reads(server):
    s3 = server.client("s3")
    bucket, arn, _ = front(server)
    s3.put_object(Bucket=bucket, Key="a/b c.txt", Body=b"one", ContentType="text/plain")
    assert get(f"{server.url}/{bucket}/a/b%20c.txt")[0] == 403
    other, other_arn, _ = front(server)
    s3.put_object(Bucket=other, Key="a", Body=b"x")
    s3.put_bucket_policy(Bucket=other, Policy=policy(other, arn))
    assert get(f"{server.url}/{other}/a")[0] == 403
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, arn))
    # The owner is not hindered by what the policy says of others.
    s3.put_object(Bucket=bucket, Key="c", Body=b"two", CacheControl="max-age=60")
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"two"
    status, headers, body = get(f"{server.url}/{bucket}/c")
    assert (status, body, headers["cache-control"]) == (200, b"two", "max-age=60")
    status, headers, _ = get(f"{server.url}/{bucket}/missing")
    assert (status, headers["content-type"]) == (403, "application/xml")


def test_what_is_kept_and_what_an_invalidation_forgets(server):
    s3, cloudfront = server.client("s3"), server.client("cloudfront")
    bucket, arn, identifier = front(server)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, arn))
    for key in ("manifest.json", "other.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"one", CacheControl="public, max-age=60")
    url = f"{server.url}/{bucket}/manifest.json"
    status, headers, _ = get(url)
    assert (status, headers["x-cache"]) == (200, "Miss from cloudfront")
    assert get(url, **{"If-None-Match": headers["etag"]})[0] == 304
    get(f"{server.url}/{bucket}/other.json")
    for key in ("manifest.json", "other.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"two", CacheControl="public, max-age=60")
    status, headers, body = get(url)
    assert (body, headers["x-cache"]) == (b"one", "Hit from cloudfront")
    batch = {"CallerReference": unique(), "Paths": {"Quantity": 1, "Items": ["/manifest.json"]}}
    made = cloudfront.create_invalidation(DistributionId=identifier, InvalidationBatch=batch)
    done = cloudfront.get_invalidation(DistributionId=identifier, Id=made["Invalidation"]["Id"])
    assert done["Invalidation"]["Status"] == "Completed"
    assert get(url)[2] == b"two"
    assert get(f"{server.url}/{bucket}/other.json")[2] == b"one"


def test_checksums_are_checked(server, refused):
    s3 = server.client("s3")
    bucket, _, _ = front(server)
    right = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    s3.put_object(Bucket=bucket, Key="a", Body=b"one", ChecksumSHA256=right)
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="a", Body=b"two", ChecksumSHA256=right)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="b", ChecksumAlgorithm="SHA256")["UploadId"]
    part = {"Bucket": bucket, "Key": "b", "UploadId": upload, "PartNumber": 1}
    s3.upload_part(**part, Body=b"one", ChecksumSHA256=right)
    refused("BadDigest", s3.upload_part, **part, Body=b"two", ChecksumSHA256=right)
