"""Training where the data are: a coordinator asks sites for sums, and no row leaves a site.

    coordinator's pod                                    a site
    coordinate ─► exchange ─► flower.link ─► SuperLink ◄─ gate ◄──TLS── flower.node ─► holder ─► limits ─► rows

`holder` answers requests about rows that it has prepared, `limits` takes small cells out of every answer, `exchange`
asks all sites at once and decides about the missing ones, `coordinate` runs heart_trainer.sums over them.
"""
