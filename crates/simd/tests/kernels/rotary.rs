//! Rotations keep what rotations keep.

use benchbook_simd::Rotary;

#[test]
fn products_depend_on_the_distance_alone() {
    let rotary = Rotary::new(200, 6, 10_000.0).unwrap();
    let (query, key) = ([0.3, -1.0, 0.7, 2.0, 0.1, -0.4], [1.0, 0.2, -0.6, 0.5, -1.5, 0.8]);
    let at = |vector: &[f32; 6], position: usize| {
        let mut turned = [0.0; 6];
        rotary.rotate(1, position, vector, &mut turned).unwrap();
        turned
    };
    let product = |query: [f32; 6], key: [f32; 6]| query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
    let near = product(at(&query, 7), at(&key, 3));
    for shift in [0, 11, 190] {
        let far = product(at(&query, 7 + shift), at(&key, 3 + shift));
        assert!((near - far).abs() < 1e-4, "shifted by {shift}: {near} and {far}");
    }
    assert!((near - product(at(&query, 8), at(&key, 3))).abs() > 1e-3, "another distance is another product");
    assert_eq!(at(&query, 0), query);
    // By hand: a quarter turn of the pair (x, y) is (−y, x); angle 1 at position 1 for the first pair.
    let turned = at(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1);
    assert!((turned[0] - 1.0_f32.cos()).abs() < 1e-7 && (turned[3] - 1.0_f32.sin()).abs() < 1e-7);
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(Rotary::new(4, 5, 10_000.0).unwrap_err().to_string().contains("odd"));
    let rotary = Rotary::new(4, 2, 10_000.0).unwrap();
    let mut to = [0.0; 6];
    assert!(rotary.rotate(3, 2, &[0.0; 6], &mut to).unwrap_err().to_string().contains("up to 5"));
    assert!(rotary.rotate(2, 0, &[0.0; 6], &mut to).unwrap_err().to_string().contains("[2, 2]"));
    assert!(rotary.rotate(3, 0, &[0.0; 4], &mut to).is_err());
    assert!(rotary.rotate(0, 0, &[], &mut []).is_ok());
}
