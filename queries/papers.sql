-- title: Papers to try: what is not measured here yet, the newest first, each with the row of the catalogue that it belongs to
-- param since text = 2024-01: the month from which on
--
-- The month is that in which arXiv has taken it, as its number says. What is measured here is no longer on the list: an
-- implementation names its paper in what it says of itself (benchbook list implementations), and a published figure is a claim.
WITH papers AS (
    SELECT * FROM (
        VALUES
            ('2502.13189', 'AT7', 'MoBA: blocks of keys are chosen as experts are'),
            ('2502.11089', 'AT7', 'Native Sparse Attention: compressed, chosen and near keys, trained so from the beginning'),
            ('2412.06464', 'SM1', 'Gated Delta Networks: a state that forgets by a gate and corrects itself by the delta rule'),
            ('2410.05258', 'AT1', 'Differential Transformer: the difference of two softmaxes takes noise away'),
            ('2410.02367', 'PR2', 'SageAttention: scores of 8 bits, after the mean of the keys is taken off'),
            ('2405.16406', 'PR3', 'SpinQuant: learned rotations before weights and activations are rounded to 4 bits'),
            ('2404.02258', 'AD1', 'Mixture-of-Depths: a router says which tokens go through a block'),
            ('2403.03507', 'TR2', 'GaLore: states of the optimizer for a gradient in few dimensions'),
            ('2401.15077', 'DE2', 'EAGLE: guesses are made of the features before the last layer')
    ) AS p(arxiv, catalogue, what)
)
SELECT
    concat('20', substr(arxiv, 1, 2), '-', substr(arxiv, 3, 2)) AS published,
    arxiv,
    catalogue,
    what
FROM papers
WHERE concat('20', substr(arxiv, 1, 2), '-', substr(arxiv, 3, 2)) >= CAST($since AS VARCHAR)
ORDER BY arxiv DESC
