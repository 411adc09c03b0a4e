"""Launch templates: versions that stay numbered, SourceVersion merges, deleting versions."""

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.launch_templates import (
    LaunchTemplate,
    LaunchTemplateBackend,
    LaunchTemplateVersion,
)
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from .lifecycle import fault
from .patching import add, plain, wrap


def _not_found(template: LaunchTemplate, number: Any) -> Exception:
    message = (
        f"Could not find launch template version {number} for launch template {template.id}"
    )
    return fault("InvalidLaunchTemplateId.VersionNotFound", message)


@add(LaunchTemplate)
def get_version(self: LaunchTemplate, num: Any) -> LaunchTemplateVersion:
    wanted = str(num).lower()
    if wanted == "$latest":
        return self.latest_version()
    if wanted == "$default":
        return self.default_version()
    for version in self.versions:
        if str(version.number) == str(num):
            return version
    raise _not_found(self, num)


@add(LaunchTemplate)
def default_version(self: LaunchTemplate) -> LaunchTemplateVersion:
    return self.get_version(self.default_version_number)


@add(LaunchTemplate)
def create_version(
    self: LaunchTemplate, data: dict[str, Any], description: str
) -> LaunchTemplateVersion:
    # A deleted version's number is never given again.
    number = getattr(self, "_highest_version", 0) + 1
    self._highest_version = number
    version = LaunchTemplateVersion(self, number, data, description)
    self.versions.append(version)
    return version


@wrap(LaunchTemplate, "__init__")
def _init(original: Any, self: LaunchTemplate, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    # moto copies the template's own tags into the first version's data.
    data = self.versions[0].data
    specs = [
        spec
        for spec in data.get("TagSpecifications", [])
        if spec.get("ResourceType") != "launch-template"
    ]
    if specs:
        data["TagSpecifications"] = specs
    else:
        data.pop("TagSpecifications", None)
    if data.get("UserData") is None:
        data.pop("UserData", None)


def _template(response: LaunchTemplates) -> LaunchTemplate:
    name = response._get_param("LaunchTemplateName")
    backend = response.ec2_backend
    if name:
        return backend.get_launch_template_by_name(name)
    return backend.get_launch_template(response._get_param("LaunchTemplateId"))


@wrap(LaunchTemplates, "create_launch_template_version")
def _create_version(original: Any, self: LaunchTemplates) -> ActionResult:
    data = plain(self._get_param("LaunchTemplateData", {}))
    if data.get("UserData") is not None:
        data["UserData"] = parse_user_data(str(data["UserData"]))
    source = self._get_param("SourceVersion")
    if source is not None:
        data = {**copy.deepcopy(plain(_template(self).get_version(source).data)), **data}
    self.params["LaunchTemplateData"] = data
    return original(self)


@add(LaunchTemplates)
def delete_launch_template_versions(self: LaunchTemplates) -> ActionResult:
    template = _template(self)
    self.error_on_dryrun()
    done, failed = [], []
    for number in self._get_param("Versions", []):
        item = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": int(number),
        }
        error = _delete_version(template, number)
        if error is None:
            done.append(item)
        else:
            failed.append({**item, "ResponseError": error})
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": done,
            "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
        }
    )


def _delete_version(template: LaunchTemplate, number: Any) -> dict[str, str] | None:
    if str(number) == str(template.default_version_number):
        message = (
            f"The default version {number} of launch template {template.id} cannot be deleted"
        )
        return {"Code": "unexpectedError", "Message": message}
    for version in template.versions:
        if str(version.number) == str(number):
            template.versions.remove(version)
            return None
    message = f"The launch template version {number} does not exist"
    return {"Code": "launchTemplateVersionDoesNotExist", "Message": message}


@wrap(LaunchTemplates, "describe_launch_template_versions")
def _describe_versions(original: Any, self: LaunchTemplates) -> ActionResult:
    return ActionResult(_uncut(original, self))


def _uncut(original: Any, response: LaunchTemplates) -> dict[str, Any]:
    """moto cuts at 15 and gives no token: takes all, and lets the pagination cut."""
    limit = response.params.get("MaxResults")
    response.params["MaxResults"] = 10**6
    try:
        return original(response).result
    finally:
        response.params["MaxResults"] = limit


@wrap(LaunchTemplateBackend, "describe_launch_template_versions")
def _backend_versions(original: Any, self: Any, **kwargs: Any) -> list:
    low, high = kwargs["min_version"], kwargs["max_version"]
    kwargs["min_version"] = kwargs["max_version"] = None
    found = original(self, **kwargs)
    return [
        (template, version)
        for template, version in found
        if (not low or version.number >= low) and (not high or version.number <= high)
    ]


@wrap(LaunchTemplates, "describe_launch_templates")
def _describe(original: Any, self: LaunchTemplates) -> ActionResult:
    result = _uncut(original, self)
    for item in result["LaunchTemplates"]:
        template = self.ec2_backend.launch_templates[item["LaunchTemplateId"]]
        item["Tags"] = template.get_tags()
    return ActionResult(result)


@wrap(LaunchTemplateBackend, "describe_launch_templates")
def _backend_describe(original: Any, self: Any, *args: Any, **kwargs: Any) -> list:
    ids = kwargs.get("template_ids")
    for template_id in ids or []:
        if template_id not in self.launch_templates:
            message = f"The specified launch template, with template ID {template_id}, does not exist."
            raise fault("InvalidLaunchTemplateId.NotFound", message)
    return original(self, *args, **kwargs)


@wrap(LaunchTemplateBackend, "modify_launch_template")
def _modify(original: Any, self: Any, *args: Any, **kwargs: Any) -> LaunchTemplate:
    number = kwargs.get("default_version", args[0] if args else None)
    if str(number).lower() == "$latest":
        name, template_id = kwargs.get("template_name"), kwargs.get("template_id")
        if name:
            template = self.get_launch_template_by_name(name)
        else:
            template = self.get_launch_template(template_id)
        kwargs["default_version"] = str(template.latest_version_number)
        args = ()
    return original(self, *args, **kwargs)
