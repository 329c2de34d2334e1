# SPDX-License-Identifier: Apache-2.0
"""What `lokeys validate` decides: from manifests to every fault of the storage credentials."""
