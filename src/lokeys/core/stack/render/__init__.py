# SPDX-License-Identifier: Apache-2.0
"""A LokiStack and its storage as the Kubernetes objects that run it. `render.render` makes all."""
