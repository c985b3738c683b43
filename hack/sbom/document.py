"""A CycloneDX document of an image's packages: the same image gives the same bytes."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from hack.sbom.imagefiles import ImageFiles
from hack.sbom.inventory import Package, read_packages, read_release


def write_document(name: str, version: str, image: ImageFiles) -> str:
    """The JSON text (CycloneDX 1.6) for an image of this name; ValueError if it does not match the schema."""
    root = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=name)
    components = [_component(package) for package in read_packages(image)]
    if release := read_release(image.files):
        system = ComponentType.OPERATING_SYSTEM
        components.append(Component(name=release.id, version=release.version, type=system, bom_ref="os"))
    layers = "".join(image.config["rootfs"]["diff_ids"])
    bom = Bom(
        components=components,
        metadata=BomMetaData(component=root, timestamp=_created(image)),
        serial_number=uuid5(NAMESPACE_URL, f"{name}:{version}:{layers}"),
    )
    bom.register_dependency(root, components)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the document of {name} does not match CycloneDX's schema: {error}")
    return text


def _component(package: Package) -> Component:
    return Component(
        name=package.name,
        version=package.version,
        purl=PackageURL.from_string(package.purl),
        bom_ref=f"{package.purl}#{package.location}",
        licenses=[LicenseFactory().make_from_string(package.license)] if package.license else [],
        evidence=ComponentEvidence(occurrences=[Occurrence(location=f"/{package.location}")]),
    )


def _created(image: ImageFiles) -> datetime:
    """When the image was made, not when it was read."""
    return datetime.fromisoformat(image.config["created"])
