# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes objects that run a LokiStack and its storage; `render.render` makes them all."""
