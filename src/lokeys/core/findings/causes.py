# SPDX-License-Identifier: Apache-2.0
"""What can be the cause of a failure, each with a sentence.

Names are fixed: added to, never changed. A cause names what is wrong, not the message that showed
it: one message can have several causes, and then evidence decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_STORE = {
    "endpoint_unreachable": "The storage endpoint gives no answer: refused, timed out, no route.",
    "endpoint_not_s3_api": "Something answers at the endpoint, and it does not speak S3.",
    "endpoint_includes_bucket": "The endpoint's host holds the bucket already.",
    "virtual_host_style_dns": "bucket.host does not resolve: this store needs path style.",
    "tls_scheme_mismatch": "http is spoken to a TLS port, or https to a plain one.",
    "tls_unknown_authority": "The store's certificate is of an authority that is not trusted.",
    "tls_name_mismatch": "The store's certificate is for another name.",
    "tls_certificate_expired": "The store's certificate has ended, or has not begun.",
    "rgw_dns_name_misroute": "RGW takes the admin path for a bucket: rgw_dns_name does not fit.",
    "object_store_full": "The store has no room, or a quota is used up.",
}
_KEYS = {
    "access_key_unknown": "The store does not know the access key id.",
    "secret_key_mismatch": "The secret key is not the one of the access key id.",
    "secret_key_url_encoding": "A secret key with / or + stands unescaped in an s3:// URL.",
    "secret_trailing_newline": "A value ends in a newline that is not part of the key.",
    "s3_url_trailing_slash": "The s3:// URL ends in a slash, which spoils the signature.",
    "session_token_expired": "Temporary credentials ran out, and nothing renews them.",
    "clock_skew": "The clocks differ more than a signature allows.",
    "no_credentials_in_chain": "The client looked everywhere and found no credentials.",
    "anonymous_request_sent": "A request went out without any credentials.",
    "static_keys_shadow_role": "Static keys are set, so the role is never asked for.",
}
_PERMISSION = {
    "s3_access_denied_policy": "The key is known, and a policy does not allow the action.",
    "bucket_policy_explicit_deny": "The bucket's own policy denies the request.",
    "kms_permission_denied": "The key that encrypts the bucket may not be used.",
    "bucket_not_found": "There is no bucket of that name.",
    "bucket_name_missing": "The bucket's name is empty or was not rendered.",
    "bucket_name_is_path": "The bucket's name holds a slash.",
    "default_bucket_name_used": "The chart's default bucket is used: the value stands elsewhere.",
    "wrong_region": "The bucket is in another region than the one configured.",
    "region_missing": "No region, or a placeholder, is configured.",
    "checksum_unsupported": "The store refuses the checksums that newer clients send.",
    "object_lock_checksum_required": "A bucket with object lock wants a checksum.",
}
_STS = {
    "sts_trust_policy_denied": "The role's trust policy refuses this token.",
    "sts_wrong_audience": "The token is for another audience than the provider expects.",
    "sts_oidc_provider_missing": "The account knows no identity provider of this issuer.",
    "sts_region_inactive": "STS is not activated in that region.",
    "sts_sent_to_storage_endpoint": "The token exchange was sent to the storage endpoint.",
    "sts_plain_http": "The token exchange was sent over plain http.",
    "sts_unreachable": "The STS endpoint gives no answer.",
    "sts_assume_role_chain_denied": "The second role of a chain may not be assumed.",
    "sts_role_missing": "There is no such role, or its name is none.",
    "oidc_issuer_unreachable": "The provider cannot fetch the issuer's keys, or not trust them.",
    "oidc_token_invalid": "The provider refuses the token itself: signature, form or time.",
    "temporary_credentials_refused": "The store refuses what its own STS has just given out.",
    "token_file_unreadable": "The process may not read its projected token.",
    "mesh_intercepts_token_exchange": "A service mesh's sidecar breaks the token exchange.",
}
_AZURE = {
    "azure_account_key_invalid": "The account key is wrong, or is no account key.",
    "azure_rbac_missing": "The identity is fine and lacks a role on the blobs.",
    "azure_authorization_failure": "The storage account's firewall or rules refuse the request.",
    "azure_federated_credential_mismatch": "Issuer, subject or audience differ from the token's.",
    "azure_wi_not_injected": "The pod lacks workload identity's variables or token.",
    "azure_identity_not_assigned": "The node has no such managed identity.",
    "azure_client_or_tenant_wrong": "The client is not of that tenant, or the tenant is none.",
    "azure_imds_throttled": "The node's token endpoint asks to slow down.",
}
_GOOGLE = {
    "gcs_permission_denied": "The identity is known and lacks a permission.",
    "gcs_key_json_invalid": "The service account's key is not readable as JSON.",
    "gcs_invalid_jwt": "The key's signature is refused: deleted, wrong, or the clock.",
    "gcs_invalid_credentials_401": "The token or key is not valid.",
    "gcs_scope_insufficient": "The node's scopes do not allow the call.",
    "gcs_wif_pool_missing": "The workload identity pool does not exist.",
    "gcs_wif_audience_mismatch": "The provider expects tokens of another audience.",
    "gcs_wif_issuer_mismatch": "The provider expects tokens of another issuer.",
    "gcs_wif_condition_denied": "The provider's attribute condition rejects this token.",
    "gcs_impersonation_denied": "The federated identity may not act as the service account.",
    "gcs_wif_needs_uniform_access": "Federated identities need uniform bucket-level access.",
}
_AROUND = {
    "rook_object_store_not_ready": "Rook has not finished the store, so its users wait.",
    "rook_stale_user_secret": "Rook's Secret holds a key that RGW no longer has.",
    "k8s_secret_missing": "A Secret that is needed does not exist.",
    "op_connect_unreachable": "1Password Connect gives no answer, or something else answers.",
    "op_vault_not_found": "Connect knows no such vault.",
    "op_item_not_found": "The vault has no such item.",
    "op_field_not_found": "The item has no such field.",
    "op_token_lacks_vault_access": "Connect's token is refused, or may not see the vault.",
    "op_rate_limited": "1Password's quota of requests is used up.",
    "op_write_rejected": "The vault refuses to be written.",
}
_STATIC = {
    "vault_behind_source": "The vault holds an older key than the source.",
    "vault_pair_torn": "Id and secret in the vault are of different keys.",
    "secret_behind_vault": "The Secret is older than the vault.",
    "secret_behind_source": "The Secret holds another key than the source; no vault explains it.",
    "secret_pair_torn": "Id and secret in the Secret are of different keys.",
    "secret_cannot_refresh": "The ExternalSecret never reads again, and says Ready.",
    "externalsecret_missing": "The ExternalSecret that delivers the key does not exist.",
    "eso_stopped_by_bad_interval": "One interval that does not parse stops all ExternalSecrets.",
    "eso_store_not_ready": "The SecretStore is not ready, or nobody looked since it was mended.",
    "pods_behind_secret": "Pods started before the Secret changed.",
    "rollout_blocked": "The rollout waits for a pod that cannot become ready.",
    "source_key_dead": "The source itself offers a key that the store refuses.",
    "source_has_no_key": "The source has no key to offer.",
    "source_not_allowed": "The source's owner has not allowed this namespace.",
    "config_behind_values": "Loki's configuration was rendered with an older key than its values.",
    "token_not_allowed": "A Connect token's owner has not allowed this namespace to use it.",
    "address_not_allowed": "A credential's owner has not allowed it to go to this address.",
    "store_user_missing": "The store's user does not exist.",
    "user_suspended": "The store's user is suspended.",
    "foreign_key_in_vault": "The vault holds a working key that the source never had.",
    "vault_value_empty": "A value is empty, and travels as a success.",
    "op_item_ambiguous": "Several items have that title.",
    "op_field_ambiguous": "Several fields have that label.",
    "eso_target_owned_by_other": "Another ExternalSecret owns the Secret.",
    "pod_will_not_stop": "A pod with a dead key hangs in its shutdown flush.",
    "bridge_overdue": "A key that was made valid again for a while is past its time.",
    "wal_not_persistent": "Restarting the pod would lose what it has not flushed.",
    "eviction_blocked_by_budget": "A disruption budget forbids the eviction.",
    "two_writers": "Two StorageCredentials, or lokeys and somebody else, write the same thing.",
    "rook_generated_secret_blank": "`spec.keys` is set, so Rook blanks the Secret it generates.",
    "rook_extra_keys_doomed": "RGW has keys that Rook's next reconcile deletes.",
    "rook_not_applied": "Rook says Ready of an older state than the present one.",
    "rook_user_deletion_blocked": "The user is being deleted, and its bucket holds that up.",
}
_CONFIGURATION = {
    "lokistack_secret_keys_wrong": "A LokiStack's Secret lacks fields, or has them empty.",
    "env_not_expanded": "${VAR} reached the client as it is written.",
    "env_variable_missing": "The configuration names a variable that the container lacks.",
    "env_expansion_fails": "The configuration holds an expression that Loki cannot read.",
    "half_a_pair": "The configuration gives one half of a key pair.",
    "chart_maps_wrong_key": "The chart writes another value into a credential's field.",
    "wrong_storage_backend": "The schema still names another store than the one configured.",
    "filesystem_store_in_use": "Loki writes to its own disk, not to the store.",
    "backend_not_supported": "This version has no such store.",
    "client_version_identity": "This version of the client lacks that way to identify itself.",
}

CAUSES: Mapping[str, str] = MappingProxyType(
    {
        **_STORE,
        **_KEYS,
        **_PERMISSION,
        **_STS,
        **_AZURE,
        **_GOOGLE,
        **_AROUND,
        **_STATIC,
        **_CONFIGURATION,
    }
)
"""Every cause there is, with what it means."""
