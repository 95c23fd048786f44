#!/usr/bin/env bash
# Builds the shop's images: images/build.sh TAG [IMAGE…]
#
# IMAGE is a service (gateway, flash-sale, …), coordinator, migrations or k6; all of them where none is named.
# BUILD is the command that takes an image's name, a folder and options; BASE_IMAGE the base of the Python images;
# PIP_CONF a pip configuration for a private package index; LOAD, where it is set, is run with each image's name afterwards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -ra build <<<"${BUILD:-docker build -t}"
tag=${1:?usage: images/build.sh TAG [IMAGE…]}
shift
images=("$@")
if [ ${#images[@]} = 0 ]; then
  for folder in services/*/__main__.py; do
    name=$(basename "$(dirname "$folder")")
    images+=("${name//_/-}")
  done
  images+=(migrations k6)
fi

options=(-f images/Dockerfile)
[ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
[ -z "${PIP_CONF:-}" ] || options+=(--secret "id=pip,src=$PIP_CONF")

load=()
[ -z "${LOAD:-}" ] || read -ra load <<<"$LOAD"

for image in "${images[@]}"; do
  case $image in
    k6) "${build[@]}" "eshop/k6:$tag" . -f images/k6.Dockerfile ;;
    migrations) "${build[@]}" "eshop/migrations:$tag" . "${options[@]}" --target migrations ;;
    *) "${build[@]}" "eshop/$image:$tag" . "${options[@]}" --target "${TARGET:-service}" --build-arg "SERVICE=${image//-/_}" ;;
  esac
  [ ${#load[@]} = 0 ] || "${load[@]}" "eshop/$image:$tag"
done
