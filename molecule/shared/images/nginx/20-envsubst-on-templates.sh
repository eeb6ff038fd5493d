#!/bin/sh
# Templates become configuration with the environment filled in; only defined names are replaced.
set -eu
templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$templates" ] || exit 0
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p')
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    target=$output/${template#"$templates/"}
    mkdir -p "$(dirname "$target")"
    envsubst "$names" < "$template" > "${target%"$suffix"}"
done
