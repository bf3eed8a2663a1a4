//! Numbers as they lie in memory; computation is in `f32`.

use half::bf16;

/// A number that inputs and results consist of.
pub trait Element: Copy + Send + Sync + 'static {
    /// Whether a tile must be widened into memory of its own before it can be computed with.
    const WIDENED: bool;

    /// Exactly.
    fn wide(self) -> f32;

    /// To the nearest, ties to even.
    fn narrow(number: f32) -> Self;

    /// The same numbers as `f32`: themselves, or widened into `room`, which is as long where [`Self::WIDENED`].
    fn tile<'a>(from: &'a [Self], room: &'a mut [f32]) -> &'a [f32];
}

impl Element for f32 {
    const WIDENED: bool = false;

    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    #[inline(always)]
    fn narrow(number: f32) -> Self {
        number
    }

    #[inline(always)]
    fn tile<'a>(from: &'a [Self], _room: &'a mut [f32]) -> &'a [f32] {
        from
    }
}

impl Element for bf16 {
    const WIDENED: bool = true;

    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }

    #[inline(always)]
    fn narrow(number: f32) -> Self {
        Self::from_f32(number)
    }

    #[inline(always)]
    fn tile<'a>(from: &'a [Self], room: &'a mut [f32]) -> &'a [f32] {
        let room = &mut room[..from.len()];
        for (to, from) in room.iter_mut().zip(from) {
            // The upper half of an f32, NaN included.
            *to = f32::from_bits(u32::from(from.to_bits()) << 16);
        }
        room
    }
}
