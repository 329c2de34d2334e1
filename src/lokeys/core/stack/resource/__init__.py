# SPDX-License-Identifier: Apache-2.0
"""The LokiStack resource (`loki.grafana.com/v1`): its parsed spec, and what is wrong with it."""
