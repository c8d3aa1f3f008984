"""Run by Debian's own Python, which has QGIS: opens collections, tiles and a style, and tells what it found as JSON."""

import json
import os
import sys
import tempfile

os.environ.update(QT_QPA_PLATFORM="offscreen", XDG_RUNTIME_DIR=tempfile.mkdtemp())

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsAuthMethodConfig,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeatureRequest,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize

url, key, style, picture, *layers = sys.argv[1:]
application = QgsApplication([], False, tempfile.mkdtemp())
application.initQgis()
manager = application.authManager()
manager.setMasterPassword("only for this run", True)
basic = QgsAuthMethodConfig("Basic")
basic.setName("geo_grid")
basic.setConfigMap({"username": "key", "password": key, "realm": ""})
manager.storeAuthenticationConfig(basic)

found = {"version": Qgis.QGIS_VERSION, "layers": {}}
for name in layers:
    layer = QgsVectorLayer(f"authcfg={basic.id()} pageSize='1000' typename='{name}' url='{url}'", name, "OAPIF")
    features = list(layer.getFeatures(QgsFeatureRequest())) if layer.isValid() else []
    found["layers"][name] = {
        "valid": layer.isValid(),
        "error": layer.dataProvider().error().message() if layer.dataProvider() else "",
        "count": len(features),
        "fields": [field.name() for field in layer.fields()],
        "names": sorted(str(f["name"]) for f in features)[:3] if "name" in layer.fields().names() else [],
        "area": sum(f.geometry().area() for f in features if f.hasGeometry()),
    }
styled = QgsVectorLayer(f"authcfg={basic.id()} typename='grid_cells' url='{url}'", "grid_cells", "OAPIF")
said, good = styled.loadSldStyle(style)
found["style"] = {"good": good, "said": said, "renderer": styled.renderer().type()}

tiles = QgsVectorTileLayer(
    f"type=xyz&authcfg={basic.id()}&zmin=0&zmax=18&url={url}/collections/grid_cells/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}",
    "tiles",
)
found["tiles"] = {"valid": tiles.isValid()}
settings = QgsMapSettings()
settings.setLayers([tiles])
settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
settings.setOutputSize(QSize(512, 512))
box = styled.extent()
west, south, east, north = box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()
turned = QgsCoordinateTransform(styled.crs(), settings.destinationCrs(), QgsProject.instance())
settings.setExtent(turned.transformBoundingBox(QgsRectangle(west, south, east, north)))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
image = job.renderedImage()
image.save(picture)
colours = {image.pixel(x, y) for x in range(0, 512, 4) for y in range(0, 512, 4)}
found["tiles"]["colours"] = len(colours)
print(json.dumps(found, ensure_ascii=False), flush=True)
os._exit(0)  # PyQGIS takes its objects apart in an order that can crash
