# SPDX-License-Identifier: Apache-2.0
# manifest.sh FOLDER LIBRARY COMPONENT: a manifest by hand, as `lthost manifest` would not write it for these libraries.
cat >"$1/plugin.ini" <<TEXT
[plugin]
format = 1
id = x
version = 1.0.0
license = MIT
api = $("$LTHOST" --version | sed 's/.*API \([0-9.]*\).*/\1/')
library = $2
arch = $(uname -m)
sha256 = $(sha256sum "$1/$2" | cut -d' ' -f1)
components = 1

[callback.$3]
interface = callback/1
summary = by hand
options = 0
TEXT
