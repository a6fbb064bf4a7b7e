#!/bin/sh
# Makes facts.txt again, of the real Airflows that testdata/interop installs.
set -eu
cd "$(dirname "$0")"
airflow() { ../../../testdata/interop/install.sh airflow "$1"; }
described() { echo "$(airflow "$1")"/lib/python3*/site-packages/airflow/"$2"; }
three=
for release in 3.0.6 3.1.8 3.2.2 3.3.2; do
	three="$three ${release%.*}=$(described $release api_fastapi/core_api/openapi/v2-rest-api-generated.yaml),$(described $release providers/fab/auth_manager/api_fastapi/openapi/v2-fab-auth-manager-generated.yaml)"
done
"$(airflow 3.3.2)/bin/python" facts.py 2.11.0="$(described 2.11.0 api_connexion/openapi/v1.yaml)" $three >facts.new
mv facts.new facts.txt
