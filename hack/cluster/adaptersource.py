"""What has to be changed in prometheus-adapter's last release to compile and work with today's libraries."""

import re
from pathlib import Path


def adapt(adapter: Path, program: Path) -> None:
    """Write the program's main file into the folder `program`, and mend the copy of the module in `adapter`."""
    main, client = adapter / "cmd" / "adapter" / "adapter.go", adapter / "pkg" / "client" / "api.go"
    program.mkdir()
    (program / "main.go").write_text(with_todays_libraries(main.read_text()))
    # How long Prometheus may take: until the request's deadline, which requests did not have before.
    client.write_text(client.read_text().replace("time.Since(deadline)", "time.Until(deadline)"))


def with_todays_libraries(main: str) -> str:
    """The main file was written for older libraries of Kubernetes: how they are stopped has changed, and they describe
    the API (OpenAPI) by themselves."""
    start = "stopCh := genericapiserver.SetupSignalHandler()"
    main = main.replace(start, "ctx := genericapiserver.SetupSignalContext()\n\tstopCh := ctx.Done()")
    main = main.replace("cmd.Run(stopCh)", "cmd.Run(ctx)")
    description = r"\tif cmd\.OpenAPIConfig == nil \{.*?(?=\t// if --metrics-max-age)"
    main = re.sub(description, "", main, flags=re.DOTALL)
    return re.sub(r"^\t(openapinamer|customexternalmetrics|generatedopenapi) .*\n", "", main, flags=re.MULTILINE)
