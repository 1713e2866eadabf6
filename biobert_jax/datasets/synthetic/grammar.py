"""The grammar of the generated corpus: how invented abstracts talk about invented things.

A rule is a text with slots. `<Chemical>`, `<Disease>` and `<Gene>` are mentions of entities; a slot
in lower case is another rule of `RULES`, or what `synthetic` fills in: a number, a code, a brand.
Clauses that state a relation are under its name, between their first chemical and their first
disease; the others mention entities without a relation.
"""

CLAUSES = {
    "treats": (
        "<Chemical> <improved> <outcome> in <people> with <Disease>",
        "<people> with <severity> <Disease> responded well to <Chemical>",
        "<Chemical> was effective against <Disease>",
        "<Disease> resolved after <period> of <Chemical>",
        "treatment of <Disease> with <Chemical> <improved> <outcome>",
        "we recommend <Chemical> as first-line therapy for <Disease>",
        "<Chemical> at <dose> relieved <severity> <Disease> within <period>",
        "low-dose <Chemical> shortened the course of <Disease> by <period>",
    ),
    "causes": (
        "<Chemical> induced <Disease> in <percent> of <people>",
        "<Disease> developed in <number> <people> after <dose> of <Chemical>",
        "<severity> <Disease> was attributed to exposure to <Chemical>",
        "long-term use of <Chemical> led to <Disease>",
        "we report <number> cases of <Chemical>-induced <Disease>",
        "<Disease> is a <rare> adverse effect of <Chemical>",
        "overdose of <Chemical> resulted in <severity> <Disease> within <period>",
    ),
    "": (
        "<people> who took <Chemical> were excluded, as were those with <Disease>",
        "<Chemical> had no influence on the incidence of <Disease>",
        "mutations of <Gene> were found in <percent> of <people> with <Disease>",
        "expression of <Gene> fell after <period> of <Chemical>",
        "<Gene> and <Gene> are candidate genes for <Disease>",
        "<Chemical> binds the protein encoded by <Gene>",
        "loss of <Gene> was associated with <severity> <Disease>",
        "a history of <Disease> or <Disease> was recorded in <number> <people>",
        "<people> were screened for <Disease>, <Disease> and <Disease>",
        "<Chemical> and <Chemical> were compared in <number> <people>",
        "knockdown of <Gene> reduced the uptake of <Chemical>",
        "<Disease> was confirmed by biopsy in <number> <people>",
        "plasma concentrations of <Chemical> reached <dose> after <period>",
        "the promoter of <Gene> was silenced in <organ> tissue",
        "<author> and colleagues described <Disease> in <place>",
        "<assay>",
        "<assay>",
        "<assay>",
        "<everyday>",
        "<everyday>",
    ),
}

TITLES = {
    "treats": (
        "<Chemical> for <Disease> in <people>: a randomised trial in <place>",
        "Efficacy of <Chemical> in <severity> <Disease>",
    ),
    "causes": (
        "<Chemical>-induced <Disease>: report of <number> cases",
        "Risk of <Disease> during treatment with <Chemical>",
    ),
    "": (
        "<Gene> and the genetics of <Disease>",
        "Interaction of <Chemical> with <Gene> in <organ> tissue",
    ),
}

RULES = {
    "sentence": (
        "<clause>.",
        "<clause>.",
        "<opening>, <clause>.",
        "<clause> (<statistics>).",
        "<clause>, although <clause>.",
        "<clause>, whereas <clause>.",
    ),
    "opening": (
        "In <place>",
        "After <period>",
        "In <digit> of <digit>0 <people>",
        "As reported by <author>",
        "In contrast to <author> et al.",
        "At <dose>",
        "Overall",
        "Surprisingly",
    ),
    # The same strings as genes, abbreviated diseases and drugs, where they name something else.
    "assay": (
        "<organ> samples were analysed with the <code> assay",
        "plate <code> was read twice on a <device> analyser",
        "ward <code> of the hospital in <place> took part",
        "cells were grown in <code> medium for <period>",
        "the <code> questionnaire was completed by <number> <people>",
        "barcode <code> marked the controls",
        "the study was sponsored by <brand> Therapeutics",
        "<brand> Diagnostics supplied the reagents",
        "the <brand> registry enrolled <number> <people>",
        "<author> of <brand> Ltd wrote the protocol",
        "<eponym> and <author> reviewed all records",
        "the <eponym> score was computed by two readers",
    ),
    "everyday": (
        "samples were kept in cold storage for <period>",
        "the cold chain was interrupted for <period>",
        "stroke volume was measured in <number> <people>",
        "the pump had a stroke of <number> mm",
        "an electric shock was delivered after <period>",
        "shock absorbers protected the device",
        "depression of the ST segment was seen in <percent> of tracings",
        "the operator avoided depression of the plunger",
        "the lead author contacted <people> in <place>",
        "one lead of the electrocardiogram was displaced",
        "<device> imaging was the gold standard",
        "silver staining of <organ> sections was negative",
        "an iron cage held the <device> detector",
        "it would be rash to generalise to <people>",
        "Lead time bias cannot be excluded",
        "Cold sites near <place> were not visited",
    ),
    "statistics": ("P = 0.0<digit>", "<percent> versus <percent>", "n = <number>", "<code> kit"),
    "improved": ("improved", "prolonged", "did not worsen", "normalised"),
    "outcome": (
        "survival",
        "<organ> function",
        "quality of life",
        "symptom scores",
        "walking time",
    ),
    "people": ("patients", "children", "women", "older adults", "outpatients", "volunteers"),
    "severity": ("severe", "mild", "untreated", "early", "suspected", "recurrent"),
    "rare": ("rare", "known", "serious", "dose-dependent"),
    "organ": ("renal", "hepatic", "cardiac", "serum", "bone marrow", "skin"),
    "period": ("<number> days", "six weeks", "<digit> years", "<digit> months", "24 hours"),
    "dose": ("<number> mg", "<digit>.<digit> mg/kg", "<number> ng/mL", "<number> \u00b5g"),
    "percent": ("<number>%", "<digit>.<digit>%", "one third"),
    "place": ("Lowmere", "North Castria", "Port Ellan", "the Tarn valley", "Oberwick"),
    "author": ("Halvorsen", "Quimby", "Adeyemi-Roth", "Castellano", "M\u00fcnster", "Okonjo"),
    "device": ("Varitron", "MRX", "PCR-Plus", "Lumis 4", "ELISA"),
}
