<?php
// What this blog has of its own, on both sides alike.

// Accounts on one machine would be taken for a flood.
add_filter('comment_flood_filter', fn($flood, $last, $now) => $flood && ($now - $last) < 1, 11, 3);

// A page that needs more memory than others: a list of everything that was ever written.
add_shortcode('everything', function () {
	$all = get_posts(['numberposts' => 200]);
	$text = str_repeat('x', 72 << 20);
	$list = '';
	foreach ($all as $post) {
		$list .= '<li><a href="' . get_permalink($post) . '">' . esc_html(get_the_title($post)) . '</a></li>';
	}
	return strlen($text) > 0 ? "<ul>$list</ul>" : '';
});

// A careless line, of which every blog has one: it warns where warnings are shown.
add_action('wp_head', function () {
	$seen = [];
	echo '<meta name="generator" content="blog ' . esc_attr((string) $seen['version']) . '">';
});
