<?php
// Installs a blog with posts, pages, pictures, comments and accounts: php install.php FOLDER.
// Accounts: reader0… (subscribers), author0…, editor0…; each one's password is its name and "-password".
$_SERVER['HTTP_HOST'] = parse_url(getenv('GAUNTLET_SITE'), PHP_URL_HOST);
$_SERVER['REQUEST_METHOD'] = 'GET';
define('WP_INSTALLING', true);
require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';
mt_srand(1);
wp_install('The Gauntlet', 'admin', 'admin@blog.example', true, '', 'admin-password');
foreach ([
	'permalink_structure' => '/%postname%/', 'comment_moderation' => 0, 'comment_previously_approved' => 0,
	'comments_notify' => 0, 'moderation_notify' => 0, 'posts_per_page' => 8, 'timezone_string' => 'Europe/Berlin',
	'template' => 'twentytwentyone', 'stylesheet' => 'twentytwentyone', 'show_avatars' => 0, 'thread_comments' => 0,
] as $name => $value) {
	update_option($name, $value);
}

$words = explode(' ', 'harbour ledger lantern gravel orchard signal copper meadow timber anchor velvet winter'
	. ' bridge candle falcon garden hollow island jacket kettle ladder market needle ocean pepper quarry river');
function words(int $n): string {
	global $words;
	$list = [];
	while ($n-- > 0) {
		$list[] = $words[mt_rand(0, count($words) - 1)];
	}
	return ucfirst(implode(' ', $list)) . '.';
}

foreach (['reader' => 'subscriber', 'author' => 'author', 'editor' => 'editor'] as $name => $role) {
	for ($i = 0; $i < 80; $i++) {
		wp_insert_user(['user_login' => "$name$i", 'user_pass' => "$name$i-password", 'user_email' => "$name$i@blog.example", 'role' => $role]);
	}
}

$pictures = [];
for ($i = 0; $i < 8; $i++) {
	$image = imagecreatetruecolor(900, 600);
	for ($y = 0; $y < 600; $y += 6) {
		for ($x = 0; $x < 900; $x += 6) {
			imagefilledrectangle($image, $x, $y, $x + 5, $y + 5, mt_rand(0, 0xffffff));
		}
	}
	$upload = wp_upload_bits("picture$i.jpg", null, '');
	imagejpeg($image, $upload['file'], 60);
	$id = wp_insert_attachment(['post_title' => "picture$i", 'post_mime_type' => 'image/jpeg', 'guid' => $upload['url']], $upload['file']);
	wp_update_attachment_metadata($id, wp_generate_attachment_metadata($id, $upload['file']));
	$pictures[] = $id;
}

$categories = [];
foreach (['Ships', 'Trees', 'Tools', 'Towns'] as $name) {
	$categories[] = wp_create_category($name);
}
for ($i = 0; $i < 40; $i++) {
	$picture = $pictures[$i % count($pictures)];
	$text = '<p>' . words(60) . '</p>' . wp_get_attachment_image($picture, 'medium');
	for ($p = mt_rand(2, 8); $p > 0; $p--) {
		$text .= '<p>' . words(mt_rand(30, 120)) . '</p>';
	}
	$post = wp_insert_post([
		'post_title' => rtrim(words(3), '.') . " $i", 'post_name' => "post-$i", 'post_status' => 'publish', 'post_content' => $text,
		'post_author' => 1, 'post_category' => [$categories[$i % 4]], 'tags_input' => [$words[$i % count($words)]],
		'post_date' => date('Y-m-d H:i:s', time() - 86400 * ($i + 1)),
	]);
	set_post_thumbnail($post, $pictures[($i + 1) % count($pictures)]);
	for ($c = 0; $c < $i % 5; $c++) {
		wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => "visitor$c", 'comment_author_email' => "visitor$c@blog.example",
			'comment_content' => words(20), 'comment_approved' => 1]);
	}
}
foreach (['about', 'contact', 'everything'] as $name) {
	$text = $name === 'everything' ? '[everything]' : '<p>' . words(150) . '</p>';
	wp_insert_post(['post_type' => 'page', 'post_title' => ucfirst($name), 'post_name' => $name, 'post_status' => 'publish', 'post_content' => $text]);
}
// The rules of the permalinks are made by the first request that misses them.
delete_option('rewrite_rules');
