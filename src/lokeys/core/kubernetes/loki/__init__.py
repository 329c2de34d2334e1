# SPDX-License-Identifier: Apache-2.0
"""How a running Loki's storage is configured: where it writes, and where its key pair stands.

    named_by(workload, namespace=…)         which Secrets, ConfigMaps and account to read for it
    reading_of(workload, owner=…, held=…)   a `RunningLoki`, out of the manifest and those objects

    containers   which container runs Loki, which version
    environment  its variables as Kubernetes sets them, and where each comes from
    arguments    its flags, `$(NAME)` filled in
    files        which data key of which Secret or ConfigMap its configuration file is
    marks        texts with a mark for each variable, so that no secret is looked at
    expansion    what -config.expand-env makes of the file
    sections     which of Loki's many places for S3 settings are in force
    settings     bucket, address, and the pair's place
    identity     a role or account instead of a key
    faults       what is wrong before any key is doubted

Where the pair stands is `RunningLoki.pair`, a `PairPlace` of two halves, each one of

    DataKey(ref, key)      brought in by a variable: a data key of a Secret (or a ConfigMap)
    InFile(file, path)     in so many words in the configuration: `file` is the DataKey of the
                           Secret or ConfigMap, `path` leads to the value in its YAML
    InManifest(field)      in the workload's own manifest

`data_keys` are both halves where one Secret has them; `in_clear` tells whether no Secret is needed
to read them. Whoever follows what makes an object that holds the pair begins at
`pair.key_id.file.ref` or `pair.key_id.ref`; the values are read by the one who may compare them, at
that data key and path. Neither key nor secret is ever part of a `RunningLoki`.
"""
