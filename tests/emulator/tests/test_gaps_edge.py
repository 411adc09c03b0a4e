"""CloudFront, certificates and Route 53: what depends on time and on each other."""

from gaps_server import Aws, eventually, refused, server_fixture

aws = server_fixture("--no-waits")
# 50 s of AWS are 1 s here.
slow = server_fixture("--time-scale", "50")


def control(aws: Aws, name: str) -> dict:
    return aws.cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": name,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )


def config(name: str, control_id: str, **more) -> dict:
    return {
        "CallerReference": name,
        "Comment": name,
        "Enabled": True,
        "DefaultRootObject": "index.html",
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "assets",
                    "DomainName": f"{name}.s3.us-east-1.amazonaws.com",
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                    "OriginAccessControlId": control_id,
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "assets",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "Compress": True,
        },
        **more,
    }


class Distribution:
    def __init__(self, aws: Aws, name: str, **more) -> None:
        self.aws = aws
        self.control = control(aws, name)
        self.control_id = self.control["OriginAccessControl"]["Id"]
        self.made = aws.cloudfront.create_distribution_with_tags(
            DistributionConfigWithTags={
                "DistributionConfig": config(name, self.control_id, **more),
                "Tags": {"Items": [{"Key": "provision:stack", "Value": name}]},
            }
        )
        self.id = self.made["Distribution"]["Id"]

    def told(self):
        return self.aws.cloudfront.get_distribution(Id=self.id)

    def status(self):
        return self.told()["Distribution"]["Status"]

    def update(self, etag=None, **changes):
        current = self.aws.cloudfront.get_distribution_config(Id=self.id)
        return self.aws.cloudfront.update_distribution(
            Id=self.id,
            IfMatch=etag or current["ETag"],
            DistributionConfig={**current["DistributionConfig"], **changes},
        )

    def delete(self, etag=None):
        self.aws.cloudfront.delete_distribution(Id=self.id, IfMatch=etag or self.told()["ETag"])


def test_a_distribution_is_deployed_in_time(slow):
    distribution = Distribution(slow, "timed")
    assert distribution.made["Distribution"]["Status"] == "InProgress"
    eventually(lambda: distribution.status() == "Deployed")
    distribution.update(Enabled=False)
    assert distribution.status() == "InProgress"
    with refused("DistributionNotDisabled"):
        distribution.delete()
    eventually(lambda: distribution.status() == "Deployed")
    distribution.delete()
    with refused("NoSuchDistribution"):
        distribution.told()


def test_etags_count(aws):
    distribution = Distribution(aws, "etags")
    first = distribution.made["ETag"]
    second = distribution.update(Comment="new")["ETag"]
    assert second != first and distribution.told()["ETag"] == second
    with refused("PreconditionFailed"):
        distribution.update(etag=first, Comment="stale")
    with refused("DistributionNotDisabled"):
        distribution.delete()
    third = distribution.update(Enabled=False)["ETag"]
    with refused("PreconditionFailed"):
        distribution.delete(etag=second)
    distribution.delete(etag=third)


def test_what_is_sent_comes_back(aws):
    distribution = Distribution(aws, "whole")
    told = aws.cloudfront.get_distribution_config(Id=distribution.id)["DistributionConfig"]
    origin = told["Origins"]["Items"][0]
    assert origin["OriginAccessControlId"] == distribution.control_id
    behavior = told["DefaultCacheBehavior"]
    assert behavior["CachePolicyId"] == "658327ea-f89d-4fab-a63d-7e88639e58f6"
    assert behavior["AllowedMethods"]["CachedMethods"]["Quantity"] == 2
    assert "ForwardedValues" not in behavior
    assert told["DefaultRootObject"] == "index.html"
    # Sent back unchanged, it stays what it is.
    distribution.update()
    again = aws.cloudfront.get_distribution_config(Id=distribution.id)["DistributionConfig"]
    assert again == told
    arn = distribution.made["Distribution"]["ARN"]
    tags = aws.cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"]
    assert tags == [{"Key": "provision:stack", "Value": "whole"}]
    listed = aws.cloudfront.list_distributions()["DistributionList"]["Items"]
    summary = next(item for item in listed if item["Id"] == distribution.id)
    assert summary["Origins"]["Items"][0]["OriginAccessControlId"] == distribution.control_id


def test_an_access_control_in_use_stays(aws):
    distribution = Distribution(aws, "control")
    etag = distribution.control["ETag"]

    def delete(value):
        aws.cloudfront.delete_origin_access_control(Id=distribution.control_id, IfMatch=value)

    with refused("OriginAccessControlInUse"):
        delete(etag)
    distribution.update(Enabled=False)
    distribution.delete()
    with refused("PreconditionFailed"):
        delete("stale")
    delete(etag)
    with refused("NoSuchOriginAccessControl"):
        aws.cloudfront.get_origin_access_control(Id=distribution.control_id)


def test_invalidations_complete(slow):
    distribution = Distribution(slow, "invalid")
    made = slow.cloudfront.create_invalidation(
        DistributionId=distribution.id,
        InvalidationBatch={
            "Paths": {"Quantity": 1, "Items": ["/*"]},
            "CallerReference": "once",
        },
    )["Invalidation"]
    assert made["Status"] == "InProgress"

    def status():
        told = slow.cloudfront.get_invalidation(DistributionId=distribution.id, Id=made["Id"])
        return told["Invalidation"]["Status"]

    eventually(lambda: status() == "Completed")


class Certificate:
    def __init__(self, aws: Aws, domain: str) -> None:
        self.aws = aws
        self.arn = aws.acm.request_certificate(
            DomainName=domain, SubjectAlternativeNames=[f"*.{domain}"], ValidationMethod="DNS"
        )["CertificateArn"]

    def told(self):
        return self.aws.acm.describe_certificate(CertificateArn=self.arn)["Certificate"]

    def records(self):
        options = self.told()["DomainValidationOptions"]
        return [o["ResourceRecord"] for o in options if "ResourceRecord" in o]

    def publish(self, zone: str, action: str = "UPSERT"):
        record = self.records()[0]
        return self.aws.route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": action,
                        "ResourceRecordSet": {
                            "Name": record["Name"],
                            "Type": "CNAME",
                            "TTL": 300,
                            "ResourceRecords": [{"Value": record["Value"]}],
                        },
                    }
                ]
            },
        )["ChangeInfo"]


def zone(aws: Aws, name: str) -> str:
    made = aws.route53.create_hosted_zone(Name=name, CallerReference=name)
    return made["HostedZone"]["Id"]


def test_a_certificate_wants_its_record(slow):
    hosted = zone(slow, "wants.example.com")
    certificate = Certificate(slow, "wants.example.com")
    assert certificate.told()["Status"] == "PENDING_VALIDATION"
    records = eventually(certificate.records)
    # A name and its wildcard share one record.
    assert len(records) == 2 and records[0] == records[1]
    change = certificate.publish(hosted)
    assert change["Status"] == "PENDING"
    assert certificate.told()["Status"] == "PENDING_VALIDATION"
    eventually(lambda: certificate.told()["Status"] == "ISSUED")
    options = certificate.told()["DomainValidationOptions"]
    assert {option["ValidationStatus"] for option in options} == {"SUCCESS"}
    eventually(
        lambda: slow.route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    )


def test_without_the_record_it_is_never_issued(aws):
    certificate = Certificate(aws, "never.example.com")
    hosted = zone(aws, "never.example.com")
    assert certificate.told()["Status"] == "PENDING_VALIDATION"
    certificate.publish(hosted)
    assert certificate.told()["Status"] == "ISSUED"


def test_a_certificate_is_in_use_for_a_while_longer(slow):
    hosted = zone(slow, "held.example.com")
    certificate = Certificate(slow, "held.example.com")
    eventually(certificate.records)
    certificate.publish(hosted)
    eventually(lambda: certificate.told()["Status"] == "ISSUED")
    distribution = Distribution(
        slow,
        "held",
        Aliases={"Quantity": 1, "Items": ["held.example.com"]},
        ViewerCertificate={
            "ACMCertificateArn": certificate.arn,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
    )
    eventually(lambda: distribution.status() == "Deployed")
    distribution.update(Enabled=False)
    eventually(lambda: distribution.status() == "Deployed")
    distribution.delete()
    with refused("ResourceInUseException"):
        slow.acm.delete_certificate(CertificateArn=certificate.arn)

    def deleted():
        try:
            slow.acm.delete_certificate(CertificateArn=certificate.arn)
        except slow.acm.exceptions.ResourceInUseException:
            return False
        return True

    eventually(deleted)


def test_changes_have_ids_of_their_own(aws):
    hosted = zone(aws, "changes.example.com")
    with refused("NoSuchChange"):
        aws.route53.get_change(Id="C0000000000")
    deleted = aws.route53.delete_hosted_zone(Id=hosted)["ChangeInfo"]
    assert aws.route53.get_change(Id=deleted["Id"])["ChangeInfo"]["Status"] == "INSYNC"


def test_zone_tags(aws):
    hosted = zone(aws, "tags.example.com").rpartition("/")[2]
    aws.route53.change_tags_for_resource(
        ResourceType="hostedzone",
        ResourceId=hosted,
        AddTags=[{"Key": "provision:stack", "Value": "x"}],
    )
    told = aws.route53.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[hosted])
    assert told["ResourceTagSets"][0]["Tags"] == [{"Key": "provision:stack", "Value": "x"}]
