#!/bin/sh
# Assembles the complete file system of the origin's image in an empty directory: Node with its libraries, the code
# and its production dependencies. The Dockerfile copies it into an empty image. The tests run the same directory.
#
# Usage: deploy/origin/assemble.sh DIRECTORY
#
# The `node` on the path goes into the image, so it must have the version that package.json declares.
set -eu

image=${1:?'usage: deploy/origin/assemble.sh DIRECTORY'}
repository=$(cd "$(dirname "$0")/../.." && pwd)
cd "$repository"

node=$(node -p process.execPath)
wanted=$(node -p "require('./package.json').devDependencies.node")
found=$(node -p process.versions.node)
if [ "$found" != "$wanted" ]; then
  echo "assemble: expected node to be $wanted, as in package.json, got $found" >&2
  exit 1
fi
if [ -n "$(ls -A "$image" 2> /dev/null)" ]; then
  echo "assemble: expected $image to be empty" >&2
  exit 1
fi

# The platform mounts its own files on the empty directories.
mkdir -p "$image/app/ops" "$image/bin" "$image/etc" "$image/proc" "$image/dev" "$image/tmp"
image=$(cd "$image" && pwd)

cp "$node" "$image/bin/node"
# Each shared library of Node, and the loader, at the place where the loader looks for it.
ldd "$node" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
  mkdir -p "$image$(dirname "$library")"
  cp -L "$library" "$image$library"
done

# The user of the image, in the numbers that distroless images use. Names resolve as on any machine.
echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' > "$image/etc/passwd"
echo 'nonroot:x:65532:' > "$image/etc/group"
echo 'hosts: files dns' > "$image/etc/nsswitch.conf"

cp LICENSE package.json package-lock.json "$image/app"
cp ops/package.json ops/earshot.mjs "$image/app/ops"
# The only install script that does something compiles an optional checksum, and needs a compiler.
(cd "$image/app" && npm ci --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund > /dev/null)

# The origin needs no command. The lock of npm names the development dependencies, and nothing reads it.
rm -r "$image/app/ops" "$image/app/package-lock.json"
rm -rf "$image/app/node_modules/.bin" "$image/app/node_modules/.package-lock.json" "$image/app/node_modules/earshot-command"
cp -R origin shared "$image/app"
cp deploy/origin/health-check.mjs "$image/app"

# Half of the dependencies' bytes are files that nothing loads: types, source maps, and a client of every API of
# Google. The client of Bigtable loads one of those, for metrics.
find "$image/app" -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name 'tsconfig*.json' \) \
  -path '*/node_modules/*' -exec rm {} +
find "$image/app/node_modules/googleapis/build/src/apis" -mindepth 1 -maxdepth 1 -type d ! -name monitoring \
  -exec rm -r {} +

# A process in the image can write nothing, also where the root file system is not mounted read-only.
chmod -R u=rX,go=rX "$image"
