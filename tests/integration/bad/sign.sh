# SPDX-License-Identifier: Apache-2.0
# sign.sh MANIFEST EXPRESSION: edits a checkpoint's manifest with sed, and puts the hashes in it right: of the files beside it and
# its own.
set -e
sed -i "$2" "$1"
for file in model.safetensors optimizer.safetensors state.json run.ini; do
    [ ! -f $file ] || sed -i "/\"$file\": {/,/}/{s/\"size\": [0-9]*/\"size\": $(stat -c %s $file)/;s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$(sha256sum $file | cut -d' ' -f1)\"/}" "$1"
done
head -n -2 "$1" >"$1.bare"
{ cat "$1.bare"; printf '  "manifest_sha256": "%s"\n}\n' "$(sha256sum <"$1.bare" | cut -d' ' -f1)"; } >"$1"
rm "$1.bare"
