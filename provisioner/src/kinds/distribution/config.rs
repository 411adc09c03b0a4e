//! A distribution's configuration, from a spec and back.

use aws_sdk_cloudfront::types::{
    Aliases, DefaultCacheBehavior, DistributionConfig, DistributionSummary, HttpVersion, MinimumProtocolVersion,
    Origin, Origins, PriceClass, S3OriginConfig, SslSupportMethod, ViewerCertificate, ViewerProtocolPolicy,
};

use super::Spec;
use crate::aws::error::GoneOk;
use crate::kinds::{Cx, Error, Ref, Result};

/// The name of the only origin.
const ORIGIN: &str = "assets";
/// AWS's managed cache policy `CachingOptimized`.
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";

fn aliases(spec: &Spec) -> Result<Aliases> {
    let count = i32::try_from(spec.aliases.len()).unwrap_or(i32::MAX);
    let items = (count > 0).then(|| spec.aliases.clone());
    Ok(Aliases::builder().quantity(count).set_items(items).build()?)
}

fn origins(spec: &Spec) -> Result<Origins> {
    // With an origin access control the older identity is there, and empty.
    let s3 = S3OriginConfig::builder().origin_access_identity("").build();
    let origin = Origin::builder()
        .id(ORIGIN)
        .domain_name(spec.origin.get())
        .origin_access_control_id(spec.origin_access_control.get())
        .s3_origin_config(s3)
        .build()?;
    Ok(Origins::builder().quantity(1).items(origin).build()?)
}

fn viewer_certificate(spec: &Spec) -> ViewerCertificate {
    match spec.certificate.get() {
        "" => ViewerCertificate::builder().cloud_front_default_certificate(true).build(),
        arn => ViewerCertificate::builder()
            .acm_certificate_arn(arn)
            .ssl_support_method(SslSupportMethod::SniOnly)
            .minimum_protocol_version(MinimumProtocolVersion::TlSv122021)
            .build(),
    }
}

/// The configuration of a new distribution.
pub(super) fn build(spec: &Spec, caller_reference: &str, comment: &str) -> Result<DistributionConfig> {
    let behavior = DefaultCacheBehavior::builder()
        .target_origin_id(ORIGIN)
        .viewer_protocol_policy(ViewerProtocolPolicy::RedirectToHttps)
        .cache_policy_id(CACHING_OPTIMIZED)
        .compress(true)
        .build()?;
    Ok(DistributionConfig::builder()
        .caller_reference(caller_reference)
        .comment(comment)
        .enabled(spec.enabled)
        .origins(origins(spec)?)
        .default_cache_behavior(behavior)
        .aliases(aliases(spec)?)
        .viewer_certificate(viewer_certificate(spec))
        .price_class(PriceClass::from(spec.price_class.as_str()))
        .http_version(HttpVersion::Http2and3)
        .is_ipv6_enabled(true)
        .build()?)
}

/// Puts the spec into a live configuration; all else stays.
pub(super) fn apply(mut config: DistributionConfig, spec: &Spec) -> Result<Option<DistributionConfig>> {
    config.enabled = spec.enabled;
    config.origins = Some(origins(spec)?);
    config.aliases = Some(aliases(spec)?);
    config.viewer_certificate = Some(viewer_certificate(spec));
    config.price_class = Some(PriceClass::from(spec.price_class.as_str()));
    Ok(Some(config))
}

/// Switched off, without names and certificate of the stack's; `None` where it is so already.
pub(super) fn off(mut config: DistributionConfig) -> Result<Option<DistributionConfig>> {
    if !config.enabled {
        return Ok(None);
    }
    config.enabled = false;
    config.aliases = Some(Aliases::builder().quantity(0).build()?);
    config.viewer_certificate = Some(ViewerCertificate::builder().cloud_front_default_certificate(true).build());
    Ok(Some(config))
}

/// Reads the configuration and writes back what `edit` makes of it (`None`: nothing to write). Gone is success.
pub(super) async fn change(
    cx: &Cx,
    id: &str,
    edit: impl FnOnce(DistributionConfig) -> Result<Option<DistributionConfig>>,
) -> Result<()> {
    let cloudfront = &cx.aws.cloudfront;
    let Some(answer) = cloudfront.get_distribution_config().id(id).send().await.gone_ok()? else { return Ok(()) };
    let lacks = Error::Incomplete { call: "cloudfront GetDistributionConfig", what: "DistributionConfig" };
    let Some(config) = edit(answer.distribution_config.ok_or(lacks)?)? else { return Ok(()) };
    let call = cloudfront.update_distribution().id(id).set_if_match(answer.e_tag).distribution_config(config);
    call.send().await.gone_ok()?;
    Ok(())
}

/// What a listed distribution is.
pub(super) fn spec_of(item: &DistributionSummary) -> Spec {
    let origin = item.origins().and_then(|origins| origins.items().first());
    let certificate = item.viewer_certificate().and_then(|certificate| certificate.acm_certificate_arn());
    Spec {
        enabled: item.enabled(),
        origin: Ref::from(origin.map(Origin::domain_name).unwrap_or_default()),
        origin_access_control: Ref::from(origin.and_then(Origin::origin_access_control_id).unwrap_or_default()),
        aliases: item.aliases().map(|aliases| aliases.items().to_vec()).unwrap_or_default(),
        certificate: Ref::from(certificate.unwrap_or_default()),
        price_class: item.price_class().as_str().to_owned(),
    }
}
