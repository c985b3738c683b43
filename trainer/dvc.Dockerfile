# The image for datasets that DVC tracks: the trainer with DVC's library (docs/decisions/0028).
# Built from the repository's root: docker build -f trainer/dvc.Dockerfile .
# context: requirements/dvc.txt common/src trainer/src/heart_trainer
FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS base

FROM base AS build
COPY requirements/dvc.txt /tmp/requirements.txt
# Byte code is made here, once: at run time the file system is read-only and every start would compile anew.
# The libraries' own tests are 100 MB that nothing imports.
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-compile \
      --require-hashes --no-deps --only-binary :all: --target /opt/dependencies -r /tmp/requirements.txt \
 && rm -rf /opt/dependencies/bin \
 && find /opt/dependencies -type d -name tests -prune -exec rm -rf {} + \
 && python3 -m compileall -q -j 0 /opt/dependencies
COPY common/src /opt/heartops
COPY trainer/src/heart_trainer /opt/heartops/heart_trainer
RUN python3 -m compileall -q /opt/heartops

FROM base
COPY --from=build /opt/dependencies /opt/dependencies
COPY --from=build /opt/heartops /opt/heartops
# /tmp is the only writable place of the pod: MLflow, matplotlib and joblib keep their scratch there.
ENV PYTHONPATH=/opt/heartops:/opt/dependencies PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib MPLBACKEND=Agg MLFLOW_DISABLE_TELEMETRY=true
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["python3", "-m", "heart_trainer"]
