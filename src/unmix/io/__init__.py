"""Files to scenes, spectra and truths; one format a module, all pixels read through `lazy`."""
